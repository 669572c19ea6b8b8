import {
  close,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsync,
  linkSync,
  open,
  openSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import { SignetError } from '../errors.js';
import { lockFile } from '../native-addon.js';

export interface AppendFileOptions {
  readonly file: string;
  /** The size in bytes past which the file is set aside and a new one begun. */
  readonly rotateBytes: number;
  /** How many files that were set aside are kept: FILE.1 (the newest) to FILE.N. */
  readonly keepFiles: number;
}

/** What became of a write: `bytes` are in the file, also when it failed after them. */
export interface Appended {
  readonly bytes: number;
  readonly failure: unknown;
}

/**
 * A file of lines that only ever grows: what is in it is never changed or cut off, so that two services can write it while one
 * takes over from the other. The one that came first has it (flock(2)) and rotates it; the other follows and has it afterwards.
 */
export class AppendFile {
  readonly #options: AppendFileOptions;
  readonly #log: Logger;
  readonly #writeSync: WriteSync;
  #fd: number;
  #mine: boolean;
  #bytes: number;
  /** The file ends without a line feed: the next line needs one before it. */
  #torn = false;
  #rotateAtBytes: number;
  #dirty = false;
  #syncing = false;

  /** Throws SignetError invalid_argument if the file cannot be opened. */
  constructor(options: AppendFileOptions, log: Logger, write: WriteSync = writeSync) {
    this.#options = options;
    this.#log = log;
    this.#writeSync = write;
    this.#rotateAtBytes = options.rotateBytes;
    this.#fd = openToAppend(options.file);
    this.#mine = this.#lock(this.#fd) && this.#isInPlace();
    this.#bytes = fstatSync(this.#fd).size;
  }

  /** Whether no other service writes it. */
  get mine(): boolean {
    return this.#mine;
  }

  /** Tells that the file, as it was found, ends in the middle of a line. */
  endTornLine(): void {
    this.#torn = true;
  }

  /** Writes whole lines. */
  append(lines: Buffer): Appended {
    let bytes = 0;
    try {
      if (this.#torn) this.#bytes += this.#writeSync(this.#fd, LINE_FEED, 0);
      this.#torn = false;
      while (bytes < lines.length) bytes += this.#writeSync(this.#fd, lines, bytes);
      return { bytes, failure: undefined };
    } catch (failure) {
      if (bytes > 0) this.#torn = lines[bytes - 1] !== LINE_FEED[0];
      return { bytes, failure };
    } finally {
      this.#bytes += bytes;
      this.#dirty ||= bytes > 0;
      if (this.#mine && this.#bytes > this.#rotateAtBytes) this.#rotate();
    }
  }

  /** Sends what was written on its way to the disk, and looks whether the file can be had now. */
  tend(): void {
    if (!this.#mine) this.#claim();
    if (!this.#dirty || this.#syncing) return;
    this.#dirty = false;
    this.#syncing = true;
    fsync(this.#fd, (err) => {
      this.#syncing = false;
      if (!err) return;
      this.#dirty = true;
      this.#log.error({ err, file: this.#options.file }, 'fsync of the audit file failed');
    });
  }

  /** Waits for the disk. What is written afterwards fails. */
  async close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = CLOSED;
    this.#dirty = false;
    this.#mine = false;
    await syncAndClose(fd, this.#log);
  }

  /** A file system without locks cannot tell of another service; then there is none. */
  #lock(fd: number): boolean {
    try {
      return lockFile(fd);
    } catch (err) {
      this.#log.warn({ err, file: this.#options.file }, 'the audit file cannot be locked');
      return true;
    }
  }

  /** Whether the open file still has the name, or was set aside by the service that has it. */
  #isInPlace(): boolean {
    const there = statSync(this.#options.file, { throwIfNoEntry: false });
    return there?.ino === fstatSync(this.#fd).ino;
  }

  #claim(): void {
    try {
      if (!this.#isInPlace()) {
        const next = openToAppend(this.#options.file);
        void syncAndClose(this.#fd, this.#log);
        this.#fd = next;
        this.#torn = false;
      }
      this.#mine = this.#lock(this.#fd) && this.#isInPlace();
      this.#bytes = fstatSync(this.#fd).size;
      if (this.#mine)
        this.#log.info({ file: this.#options.file }, 'the audit file is written by this service alone now');
    } catch (err) {
      this.#log.error({ err, file: this.#options.file }, 'the audit file cannot be followed');
    }
  }

  /** When a step fails, the old file is written further. */
  #rotate(): void {
    const { file, rotateBytes } = this.#options;
    try {
      const next = openSync(`${file}.new`, APPEND | constants.O_TRUNC, FILE_MODE);
      try {
        this.#lock(next);
        this.#setAside();
      } catch (thrown) {
        closeSync(next);
        throw thrown;
      }
      void syncAndClose(this.#fd, this.#log).then(() => syncFolder(dirname(file)));
      this.#fd = next;
      this.#torn = false;
      this.#bytes = 0;
      this.#rotateAtBytes = rotateBytes;
    } catch (err) {
      this.#rotateAtBytes = this.#bytes + rotateBytes / ROTATE_AGAIN_PART;
      this.#log.error({ err, file }, 'the audit file cannot be set aside; it grows further');
    }
  }

  /** FILE is there at every moment, and its owner has it locked: a service that found none would begin one, which is lost. */
  #setAside(): void {
    const { file, keepFiles } = this.#options;
    const aside = `${file}.1`;
    for (let n = keepFiles; n >= 2; n--) renameIfThere(`${file}.${n - 1}`, `${file}.${n}`);
    if (keepFiles > 0) nameToo(file, aside);
    try {
      renameSync(`${file}.new`, file);
    } catch (thrown) {
      if (keepFiles > 0) nameBack(aside, file);
      unlinkSync(`${file}.new`);
      throw thrown;
    }
  }
}

export type WriteSync = (fd: number, bytes: Buffer, offset: number) => number;

const LINE_FEED = Buffer.from('\n');
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;
const FILE_MODE = 0o600;
const CLOSED = -1;
/** A file that could not be set aside is tried again after this part of rotate_bytes. */
const ROTATE_AGAIN_PART = 16;

function openToAppend(file: string): number {
  try {
    return openSync(file, APPEND, FILE_MODE);
  } catch (cause) {
    throw new SignetError(
      'invalid_argument',
      `expected audit.file that can be appended to; ${(cause as Error).message} came; make its folder, or name another file`,
      { cause },
    );
  }
}

function syncAndClose(fd: number, log: Logger): Promise<void> {
  return new Promise((resolve) => {
    fsync(fd, (err) => {
      if (err) log.error({ err }, 'fsync of the audit file failed');
      close(fd, () => resolve());
    });
  });
}

/** So that the new names last; a file system that cannot do it loses nothing but a rotation. */
function syncFolder(folder: string): void {
  open(folder, 'r', (failure, fd) => {
    if (!failure) fsync(fd, () => close(fd));
  });
}

/** Gives a file another name besides its own, whatever had it; in place of its own where the file system has no links. */
function nameToo(file: string, other: string): void {
  const link = `${other}.new`;
  removeIfThere(link);
  try {
    linkSync(file, link);
  } catch {
    return renameIfThere(file, other);
  }
  renameSync(link, other);
  // It stays where both names were of one file already (rename(2)).
  removeIfThere(link);
}

/** Takes the other name back. */
function nameBack(other: string, file: string): void {
  if (existsSync(file)) removeIfThere(other);
  else renameIfThere(other, file);
}

function removeIfThere(file: string): void {
  rmSync(file, { force: true });
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
  }
}
