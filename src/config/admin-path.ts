import { dirname, resolve } from 'node:path';
import { readConfigText } from './read-text.js';
import { YamlSource } from './yaml-source.js';

/**
 * The path of the administration socket in a configuration that may be wrong in every other respect, so that a running service can be
 * asked what it thinks of it; undefined if it does not show. Throws ConfigError if the file cannot be read.
 */
export function adminPathOf(file: string): string | undefined {
  const { value } = new YamlSource(readConfigText(file));
  const path = (value as { admin?: { path?: unknown } | null } | null | undefined)?.admin?.path;
  return typeof path === 'string' && path !== '' ? resolve(dirname(resolve(file)), path) : undefined;
}
