import { basename, dirname, resolve } from 'node:path';
import { crossCheck } from './cross-check.js';
import { resolvePaths } from './paths.js';
import { ConfigError, type Problem } from './problem.js';
import { readConfigText } from './read-text.js';
import { type Config, configSchema } from './schema.js';
import { optionName, problemsOf } from './shape-problems.js';
import { YamlSource } from './yaml-source.js';

/** A configuration that knows where its options stand. */
export interface PlacedConfig {
  readonly config: Config;
  /** A problem with an option, to be thrown: at its place in the file, or at what is around it. */
  problem(path: readonly PropertyKey[], text: string): ConfigError;
  /** Where an option stands, as `signet.yaml:12:5`. */
  place(path: readonly PropertyKey[]): string;
}

/** Reads the configuration file. Throws as `loadPlacedConfig` does. */
export function loadConfig(file: string): Config {
  return loadPlacedConfig(file).config;
}

/**
 * Reads the configuration file. Throws ConfigError with every problem that is found, each with line and column: first those of
 * the file and of YAML, then those of shape, then those between options.
 */
export function loadPlacedConfig(file: string): PlacedConfig {
  const name = basename(file);
  const source = new YamlSource(readConfigText(file));
  refuseIfAny(name, source.problems);
  const parsed = configSchema.safeParse(source.value, { reportInput: true });
  if (!parsed.success) throw new ConfigError(name, problemsOf(parsed.error.issues, source));
  const config = resolvePaths(parsed.data, dirname(resolve(file)));
  refuseIfAny(name, crossCheck(config, source));
  return {
    config,
    problem: (path, text) => new ConfigError(name, [source.problem(path, `${optionName(path)}: ${text}`)]),
    place: (path) => {
      const { line, column } = source.problem(path, '');
      return `${name}:${line}:${column}`;
    },
  };
}

function refuseIfAny(name: string, problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigError(name, problems);
}
