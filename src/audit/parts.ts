import { closeSync, createReadStream, fstatSync, openSync } from 'node:fs';

/** An open part of an audit file. Whoever asked for it closes it, by `linesOf` or by itself. */
export interface Part {
  readonly file: string;
  readonly fd: number;
}

/**
 * Opens an audit file and those set aside before it, oldest first: FILE.N to FILE.1, then FILE. A service may set a file aside
 * meanwhile: it is opened before those older than it, so none is missed, and what is met twice is taken once. While they move up, the
 * place of one of them is empty.
 */
export function openParts(file: string): Part[] {
  const parts: Part[] = [{ file, fd: openSync(file, 'r') }];
  const seen = new Set(parts.map(({ fd }) => fstatSync(fd).ino));
  for (let n = 1, empty = 0; empty <= 1; n++) {
    const name = `${file}.${n}`;
    const fd = openIfThere(name);
    empty = fd === undefined ? empty + 1 : 0;
    if (fd === undefined) continue;
    const { ino } = fstatSync(fd);
    if (seen.has(ino)) closeSync(fd);
    else parts.unshift({ file: name, fd });
    seen.add(ino);
  }
  return parts;
}

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, 'r');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
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
