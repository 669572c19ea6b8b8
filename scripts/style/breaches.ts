import { wrongImports } from './import-direction.js';
import { emptyNames } from './names.js';
import { tooLong } from './sizes.js';

/** Every rule that a file breaks, in sentences that begin with `path:line`. `path` is relative to the project. */
export function breaches(path: string, text: string): string[] {
  return [...tooLong(path, text), ...emptyNames(path, text), ...wrongImports(path, text)];
}
