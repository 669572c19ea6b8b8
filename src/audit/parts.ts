import { closeSync, createReadStream, existsSync, fstatSync, openSync } from 'node:fs';

/** An open part of an audit file. Whoever asked for it closes it, by `linesOf` or by itself. */
export interface Part {
  readonly file: string;
  readonly fd: number;
}

/**
 * Opens an audit file and those set aside before it, oldest first: FILE.N to FILE.1, then FILE. A service may set a file aside
 * meanwhile: it is opened before those older than it, so none is missed, and what is met twice is taken once.
 */
export function openParts(file: string): Part[] {
  const parts: Part[] = [];
  const seen = new Set<number>();
  for (let n = 0; n === 0 || existsSync(`${file}.${n}`); n++) {
    const name = n === 0 ? file : `${file}.${n}`;
    const fd = openSync(name, 'r');
    const { ino } = fstatSync(fd);
    if (seen.has(ino)) closeSync(fd);
    else parts.unshift({ file: name, fd });
    seen.add(ino);
  }
  return parts;
}

/**
 * The lines of a part, some at a time; also what stands behind the last line feed. Closes the part. A line ends with a line feed
 * and with nothing else (node's readline also splits at U+2028, which a label may have).
 */
export async function* linesOf({ file, fd }: Part): AsyncGenerator<readonly string[]> {
  let rest = '';
  for await (const text of createReadStream(file, { fd, encoding: 'utf8', highWaterMark: READ_BYTES })) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    yield lines;
  }
  if (rest !== '') yield [rest];
}

const READ_BYTES = 256 * 1024;
