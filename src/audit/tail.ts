import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { SignetError } from '../errors.js';
import { type Head, openLine } from './record.js';

export interface Tail {
  /** The head behind the last whole line; undefined in an empty file. */
  readonly head: Head | undefined;
  readonly wholeBytes: number;
  /** Bytes behind the last line feed. */
  readonly tornBytes: number;
}

/** Reads the end of an audit file. Throws SignetError invalid_argument if its last whole line is not one of an audit file. */
export function readTail(file: string): Tail {
  const { text, size } = readEnd(file);
  const end = text.lastIndexOf(LINE_FEED);
  const tornBytes = text.length - end - 1;
  if (end < 0) return { head: undefined, wholeBytes: size - tornBytes, tornBytes };
  const line = text.subarray(text.lastIndexOf(LINE_FEED, end - 1) + 1, end).toString();
  const opened = openLine(line);
  if (!opened) {
    throw new SignetError(
      'invalid_argument',
      `expected an audit file of signet, but the last line of ${file} is not one of its lines; move it away or name another file`,
    );
  }
  return { head: { chain: opened.chain, seq: opened.seq, hash: opened.hash }, wholeBytes: size - tornBytes, tornBytes };
}

const LINE_FEED = 0x0a;

/** More than the longest line and a torn one behind it, in bytes. */
const TAIL_BYTES_MAX = 64 * 1024;

function readEnd(file: string): { text: Buffer; size: number } {
  const fd = openSync(file, 'r');
  try {
    const { size } = fstatSync(fd);
    const text = Buffer.alloc(Math.min(size, TAIL_BYTES_MAX));
    const read = readSync(fd, text, 0, text.length, size - text.length);
    return { text: text.subarray(0, read), size };
  } finally {
    closeSync(fd);
  }
}
