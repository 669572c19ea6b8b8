import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { End } from './last-lines.js';

/** How long a line may be in the file before it is seen, in milliseconds. */
const LOOK_MS = 200;
const BLOCK_BYTES = 256 * 1024;
const LINE_FEED = 0x0a;

/** Gives the lines that come behind `end` to `show`, also through rotations, until `stop`. Throws if the file cannot be read. */
export async function followLines(
  file: string,
  end: End,
  show: (lines: readonly string[]) => void,
  stop: AbortSignal,
): Promise<void> {
  const follower = new Follower(file, end, show);
  try {
    while (!stop.aborted) {
      follower.look();
      await wait(LOOK_MS, undefined, { signal: stop }).catch(() => undefined);
    }
  } finally {
    follower.close();
  }
}

class Follower {
  readonly #file: string;
  readonly #show: (lines: readonly string[]) => void;
  #fd: number;
  #ino: number;
  #at: number;

  constructor(file: string, end: End, show: (lines: readonly string[]) => void) {
    this.#file = file;
    this.#show = show;
    // The file may have been set aside since its end was read.
    this.#fd = openSync(statSync(file).ino === end.ino ? file : `${file}.1`, 'r');
    this.#ino = fstatSync(this.#fd).ino;
    this.#at = this.#ino === end.ino ? end.bytes : 0;
  }

  /** Shows what came; when another file has the name, what is left of this one, then that one. */
  look(): void {
    const there = statSync(this.#file, { throwIfNoEntry: false });
    this.#read();
    if (!there || there.ino === this.#ino) return;
    closeSync(this.#fd);
    this.#fd = openSync(this.#file, 'r');
    this.#ino = fstatSync(this.#fd).ino;
    this.#at = 0;
    this.#read();
  }

  close(): void {
    closeSync(this.#fd);
  }

  #read(): void {
    for (;;) {
      const block = Buffer.alloc(BLOCK_BYTES);
      const bytes = readSync(this.#fd, block, 0, block.length, this.#at);
      const whole = block.subarray(0, bytes).lastIndexOf(LINE_FEED) + 1;
      if (whole === 0) return;
      this.#show(block.toString('utf8', 0, whole).split('\n').slice(0, -1));
      this.#at += whole;
    }
  }
}
