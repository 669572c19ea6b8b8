import { CommanderError } from 'commander';
import { ConfigError } from '../config/problem.js';
import { type ErrorWord, SignetError } from '../errors.js';
import { KeyExists, KeyNotFound } from '../token-admin/key-errors.js';
import type { ExitWord } from './exit-codes.js';

/** An error that knows how the command ends. */
export class CliError extends Error {
  readonly word: ExitWord;
  /** What is wrong with a configuration file, one sentence each. */
  readonly problems: readonly string[] | undefined;

  constructor(word: ExitWord, message: string, options: ErrorOptions & { problems?: readonly string[] } = {}) {
    super(message, options);
    this.name = 'CliError';
    this.word = word;
    this.problems = options.problems;
  }

  /** The one place that turns whatever a command threw into an exit. */
  static from(thrown: unknown): CliError {
    if (thrown instanceof CliError) return thrown;
    if (thrown instanceof CommanderError) return new CliError('usage', thrown.message.replace(/^error: /, ''));
    if (thrown instanceof ConfigError) return configurationError(thrown.problems, thrown);
    if (thrown instanceof KeyNotFound) return new CliError('not_found', thrown.message, { cause: thrown });
    if (thrown instanceof KeyExists) return new CliError('exists', thrown.message, { cause: thrown });
    if (thrown instanceof SignetError) return new CliError(EXIT_OF[thrown.code], thrown.message, { cause: thrown });
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new CliError('failed', message, { cause: thrown });
  }
}

const EXIT_OF: Readonly<Record<ErrorWord, ExitWord>> = {
  invalid_argument: 'usage',
  permission_denied: 'refused',
  resource_exhausted: 'refused',
  deadline_exceeded: 'unreachable',
  unavailable: 'unreachable',
  token_failed: 'token',
  cancelled: 'failed',
  internal: 'failed',
};

/** A configuration file with these problems, each on a line of its own. */
export function configurationError(problems: readonly string[], cause?: unknown): CliError {
  return new CliError('configuration', problems.join('\n'), { problems, cause });
}

/** Does `work`; what is wrong with its input there is the configuration's fault, not the command line's. */
export async function asConfiguration<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof SignetError) || thrown instanceof ConfigError || thrown.code !== 'invalid_argument')
      throw thrown;
    throw new CliError('configuration', thrown.message, { cause: thrown });
  }
}
