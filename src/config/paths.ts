import { resolve } from 'node:path';
import { OPTIONS } from './options.js';
import { type Config, path } from './schema.js';

/** Makes the paths of a configuration absolute: a relative one counts from the folder of the file. Changes it in place. */
export function resolvePaths(config: Config, folder: string): Config {
  for (const option of OPTIONS) {
    if (option.schema === path) change(config, option.path, (value) => resolve(folder, value));
  }
  return config;
}

type Node = Record<string, unknown>;

function change(node: unknown, [step, ...rest]: readonly string[], by: (value: string) => string): void {
  if (node === undefined || step === undefined) return;
  if (step === '[]') {
    for (const item of node as unknown[]) change(item, rest, by);
    return;
  }
  const owner = node as Node;
  const value = owner[step];
  if (rest.length > 0) change(value, rest, by);
  else if (typeof value === 'string') owner[step] = by(value);
}
