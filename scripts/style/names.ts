import { basename } from 'node:path';

/** Words that say nothing of what is inside. */
const FORBIDDEN_NAMES = /^(utils?|common|helpers?|types?|misc|shared)$|manager$/i;
const FORBIDDEN_CLASS = /^(?:export )?(?:abstract )?class (\w*Manager)\b/m;

/** What is wrong with the names in a path and with the classes in a file. */
export function emptyNames(path: string, text: string): string[] {
  const found: string[] = [];
  for (const part of path.split('/')) {
    const word = basename(part).replace(/\..*$/, '');
    if (FORBIDDEN_NAMES.test(word)) found.push(`${path}:1 is named "${word}", which does not say what is inside`);
  }
  const className = FORBIDDEN_CLASS.exec(text)?.[1];
  if (className) found.push(`${path}:1 has a class ${className}: name it after what it does`);
  return found;
}
