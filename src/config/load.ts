import { basename, dirname, resolve } from 'node:path';
import { crossCheck } from './cross-check.js';
import { resolvePaths } from './paths.js';
import { ConfigError, type Problem } from './problem.js';
import { readConfigText } from './read-text.js';
import { type Config, configSchema } from './schema.js';
import { problemsOf } from './shape-problems.js';
import { YamlSource } from './yaml-source.js';

/**
 * Reads the configuration file. Throws ConfigError with every problem that is found, each with line and column: first those of
 * the file and of YAML, then those of shape, then those between options.
 */
export function loadConfig(file: string): Config {
  const name = basename(file);
  const source = new YamlSource(readConfigText(file));
  refuseIfAny(name, source.problems);
  const parsed = configSchema.safeParse(source.value, { reportInput: true });
  if (!parsed.success) throw new ConfigError(name, problemsOf(parsed.error.issues, source));
  const config = resolvePaths(parsed.data, dirname(resolve(file)));
  refuseIfAny(name, crossCheck(config, source));
  return config;
}

function refuseIfAny(name: string, problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigError(name, problems);
}
