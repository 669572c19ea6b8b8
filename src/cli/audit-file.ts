import { resolve } from 'node:path';
import type { Cli, GlobalOptions } from './cli.js';
import { CliError } from './cli-error.js';
import { configOf } from './configured.js';

/** The audit file that is meant: `--file`, or that of the configuration. */
export async function auditFileOf(options: GlobalOptions & { readonly file?: string }, cli: Cli): Promise<string> {
  if (options.file !== undefined) return resolve(options.file);
  const { audit } = await configOf(options, cli);
  if (audit) return audit.file;
  throw new CliError('configuration', 'the configuration has no audit.file: set it, or name a file with --file');
}

/** Does `work`; a file that cannot be read is the command line's fault. */
export async function readingAudit<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === undefined || !/^E[A-Z]+$/.test(code)) throw thrown;
    throw new CliError('usage', `the audit file cannot be read: ${message}`, { cause: thrown });
  }
}
