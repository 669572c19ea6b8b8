import { closeSync, fstatSync, readSync } from 'node:fs';
import { openParts, type Part } from './parts.js';

/** Where the reading of a file ended: whoever follows it goes on there. */
export interface End {
  readonly ino: number;
  readonly bytes: number;
}

/** The last lines of an audit file, if need be of those set aside before it, oldest first; a torn last one is left out. */
export function lastLines(file: string, count: number): { lines: string[]; end: End } {
  const parts = openParts(file);
  let lines: string[] = [];
  let end: End | undefined;
  try {
    for (const part of parts.toReversed()) {
      const found = lastLinesOf(part, count - lines.length);
      lines = [...found.lines, ...lines];
      end ??= found.end;
      if (lines.length >= count) break;
    }
  } finally {
    for (const { fd } of parts) closeSync(fd);
  }
  return { lines, end: end ?? { ino: 0, bytes: 0 } };
}

const BLOCK_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

/** Reads backwards, so that the size of the file does not matter. */
function lastLinesOf({ fd }: Part, count: number): { lines: string[]; end: End } {
  const { size, ino } = fstatSync(fd);
  let text: Buffer = Buffer.alloc(0);
  let from = size;
  let feeds = 0;
  // One line feed more than lines: the one before the first of them.
  while (from > 0 && feeds <= count) {
    const block = Buffer.alloc(Math.min(BLOCK_BYTES, from));
    from -= block.length;
    readSync(fd, block, 0, block.length, from);
    for (const byte of block) if (byte === LINE_FEED) feeds++;
    text = Buffer.concat([block, text]);
  }
  const whole = text.subarray(0, text.lastIndexOf(LINE_FEED) + 1);
  const lines = whole.toString().split('\n').slice(0, -1);
  return { lines: count > 0 ? lines.slice(-count) : [], end: { ino, bytes: from + whole.length } };
}
