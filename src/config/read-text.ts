import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { ConfigError } from './problem.js';

/** A configuration with 10,000 grants is about half of it. */
const FILE_BYTES_MAX = 1024 * 1024;

/** The text of a configuration file. Throws ConfigError if it cannot be read, is too large or is not UTF-8. */
export function readConfigText(file: string): string {
  const bytes = readBytes(file);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw refuse(file, 'expected text in UTF-8; other bytes came', cause);
  }
}

function readBytes(file: string): Buffer {
  const descriptor = open(file);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw refuse(file, 'expected a regular file; name the configuration file itself');
    if (stats.size > FILE_BYTES_MAX) {
      throw refuse(file, `expected at most ${FILE_BYTES_MAX} bytes; ${stats.size} came`);
    }
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** O_NONBLOCK: opening a FIFO must not wait for its writer. */
function open(file: string): number {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'it does not exist; "signet init" makes one' : `${code}`;
    throw refuse(file, `the configuration ${file} cannot be opened: ${why}`, cause);
  }
}

function refuse(file: string, text: string, cause?: unknown): ConfigError {
  return new ConfigError(basename(file), [{ line: 0, column: 0, text }], { cause });
}
