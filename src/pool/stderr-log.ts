import type { Readable } from 'node:stream';
import type { Logger } from 'pino';

/** Longer lines are cut: a vendor's library may write anything. */
const LINE_BYTES_MAX = 1024;

/** Passes what a signer and its module write on stderr to the log, line by line. */
export function logStderr(stderr: Readable, log: Logger): void {
  let line = '';
  const flush = () => {
    if (line.trim() !== '') log.warn({ line }, 'signer wrote on stderr');
    line = '';
  };
  stderr.setEncoding('utf8');
  stderr.on('data', (text: string) => {
    for (const [index, part] of text.split('\n').entries()) {
      if (index > 0) flush();
      line = (line + part).slice(0, LINE_BYTES_MAX);
    }
  });
  stderr.on('end', flush);
  stderr.on('error', flush);
}
