import type { Logger } from 'pino';
import { changesBetween } from './config/changes.js';
import { loadPlacedConfig, type PlacedConfig } from './config/load.js';
import { ConfigError } from './config/problem.js';
import type { Config } from './config/schema.js';
import { optionName } from './config/shape-problems.js';
import { SignetError } from './errors.js';

/** A part of the service that can take a new configuration while it runs. */
export interface Reloadable {
  /**
   * Makes ready what could fail, and changes nothing yet. Throws ConfigError, or SignetError invalid_argument, for what is wrong.
   * What it returns makes the change; that throws nothing and waits for nothing, so no request sees a half of it.
   */
  prepare(next: PlacedConfig): () => void;
}

export interface ReloadReport {
  /** The options that changed, by name; empty if the old configuration is still in force. */
  readonly changed: readonly string[];
  /** What is wrong with the new configuration, one sentence each, with line and column; then nothing was changed. */
  readonly problems: readonly string[];
}

/** Puts a changed configuration file into force in all parts of the running service, or in none. */
export class Reload {
  readonly #file: string;
  readonly #log: Logger;
  readonly #parts: Reloadable[] = [];
  #inForce: Config;

  /** `inForce` is what the service started with; a copy is kept, since parts may share it and change it. */
  constructor(file: string, inForce: Config, log: Logger) {
    this.#file = file;
    this.#inForce = structuredClone(inForce);
    this.#log = log;
  }

  add(...parts: readonly Reloadable[]): void {
    this.#parts.push(...parts);
  }

  /** Reads the file again. Throws nothing; what is wrong stands in the log too. */
  run(): ReloadReport {
    try {
      const changed = this.#replace(loadPlacedConfig(this.#file));
      this.#log.info({ changed }, 'configuration reloaded');
      return { changed, problems: [] };
    } catch (thrown) {
      const problems = problemsOf(thrown);
      this.#log.error({ problems, err: problems ? undefined : thrown }, 'reload refused; the old configuration holds');
      return { changed: [], problems: problems ?? [SignetError.from(thrown).message] };
    }
  }

  #replace(next: PlacedConfig): readonly string[] {
    const changes = changesBetween(this.#inForce, next.config);
    const fixed = changes.find(({ reloadable }) => !reloadable);
    if (fixed) throw next.problem(fixed.path, FIXED);
    const commits = this.#parts.map((part) => part.prepare(next));
    for (const commit of commits) commit();
    this.#inForce = structuredClone(next.config);
    return changes.map(({ path }) => optionName(path));
  }
}

const FIXED = 'cannot change while the service runs; restart it for that, or put back what stood here';

function problemsOf(thrown: unknown): readonly string[] | undefined {
  if (thrown instanceof ConfigError) return thrown.problems;
  return thrown instanceof SignetError && thrown.code !== 'internal' ? [thrown.message] : undefined;
}
