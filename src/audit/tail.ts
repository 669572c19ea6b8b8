import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { SignetError } from '../errors.js';
import { type Head, openLine } from './record.js';

export interface Tail {
  /** The head behind the last whole line, its line feed or not; undefined where there is none yet. */
  readonly head: Head | undefined;
  /** Whether bytes follow the last line feed: a line whose writer died, or one that lacks only its line feed. */
  readonly torn: boolean;
}

/**
 * Reads the end of an audit file, or, of one that was just begun, of the file set aside before it.
 * Throws SignetError invalid_argument if there are lines, but none of an audit file.
 */
export function readTail(file: string): Tail {
  const text = readEnd(file);
  const lines = text.toString().split('\n');
  const torn = lines.at(-1) !== '';
  const head = lastHead(lines);
  if (head) return { head, torn };
  if (lines.every(mayBeTorn)) return { head: endOf(`${file}.1`), torn };
  throw new SignetError(
    'invalid_argument',
    `expected an audit file of signet, but the last line of ${file} is not one of its lines; move it away or name another file`,
  );
}

/** How every line begins, of one that was torn so much as is there. */
const LINE_BEGINS = '{"seq":';

/** Whether it may be what a full disk left of a line. */
function mayBeTorn(line: string): boolean {
  return LINE_BEGINS.startsWith(line.slice(0, LINE_BEGINS.length));
}

/** Parts of lines may follow the last whole one: they are what writers left that died. */
function lastHead(lines: readonly string[]): Head | undefined {
  for (const line of lines.toReversed()) {
    const opened = openLine(line);
    if (opened) return { chain: opened.chain, seq: opened.seq, hash: opened.hash };
  }
  return undefined;
}

function endOf(file: string): Head | undefined {
  try {
    return lastHead(readEnd(file).toString().split('\n'));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}

/** More than the longest line and what is torn behind it, in bytes. */
const TAIL_BYTES_MAX = 64 * 1024;

function readEnd(file: string): Buffer {
  const fd = openSync(file, 'r');
  try {
    const { size } = fstatSync(fd);
    const text = Buffer.alloc(Math.min(size, TAIL_BYTES_MAX));
    const read = readSync(fd, text, 0, text.length, size - text.length);
    return text.subarray(0, read);
  } finally {
    closeSync(fd);
  }
}
