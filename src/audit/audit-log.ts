import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, fsync, ftruncateSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import type { Logger } from 'pino';
import { SignetError } from '../errors.js';
import { type AttemptRecord, attemptFields, type Head, lostFields, NO_HASH, sealLine, startFields } from './record.js';
import { readTail } from './tail.js';

export interface AuditOptions {
  readonly file: string;
  /** What happens when a line cannot be written: `refuse` answers the attempts `internal`; `continue` answers them and counts the loss. */
  readonly onFailure: 'refuse' | 'continue';
  /** How long a written line may wait for its way to the disk, in milliseconds. */
  readonly fsyncMs: number;
  /** The size in bytes past which the file is set aside and a new one begun. */
  readonly rotateBytes: number;
  /** How many files that were set aside are kept: FILE.1 (the newest) to FILE.N. */
  readonly keepFiles: number;
  /** How often the head is published in the service's log, in milliseconds. */
  readonly publishHeadMs: number;
}

/**
 * The record of every attempt: one line each, chained by hashes, written before its answer leaves.
 *
 * Attempts of one turn of the event loop share one write: `record` keeps the line and its answer; when the turn's I/O has been
 * handled all lines go out in one write(2), then the answers leave.
 */
export class AuditLog {
  readonly #options: AuditOptions;
  readonly #log: Logger;
  readonly #writeSync: WriteSync;
  #fd: number;
  #bytes: number;
  #head: Head;
  /** Behind the last line that is in the file. */
  #written: Head;
  #lines: string[] = [];
  #answers: Array<(failure: SignetError | undefined) => void> = [];
  #lost = 0;
  /** Lost lines that no line in the file tells of yet. */
  #untold = 0;
  #dirty = false;
  #syncing = false;
  readonly #timers: NodeJS.Timeout[];

  /** Opens or begins the file. A torn last line, of a service that died while it wrote, is cut off. Throws if it cannot be written. */
  constructor(options: AuditOptions, log: Logger, version: string, write: WriteSync = writeSync) {
    this.#options = options;
    this.#writeSync = write;
    this.#log = log;
    this.#fd = openSync(options.file, 'a', 0o600);
    const tail = readTail(options.file);
    if (tail.tornBytes > 0) {
      ftruncateSync(this.#fd, tail.wholeBytes);
      log.warn(
        { tornBytes: tail.tornBytes, file: options.file },
        'the last line of the audit file was torn and is cut off',
      );
    }
    this.#bytes = tail.wholeBytes;
    this.#head = tail.head ?? { chain: randomBytes(16).toString('hex'), seq: 0, hash: NO_HASH };
    this.#written = this.#head;
    this.#append(startFields({ type: 'start', version, pid: process.pid }));
    this.#write();
    this.#timers = [
      setInterval(() => this.#sync(), options.fsyncMs).unref(),
      setInterval(() => this.#publish(), options.publishHeadMs).unref(),
    ];
    this.#publish();
  }

  /** Lines that could not be written since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** Keeps a line for this turn's write; `answer` is called after it, with the failure if the attempt must be refused. */
  record(record: AttemptRecord, answer: (failure: SignetError | undefined) => void): void {
    if (this.#answers.length === 0) setImmediate(() => this.flush());
    if (this.#untold > 0 && this.#lines.length === 0) this.#append(lostFields(this.#untold));
    this.#append(attemptFields(record));
    this.#answers.push(answer);
  }

  /** Writes what is kept and lets the answers leave. */
  flush(): void {
    const answers = this.#answers;
    this.#answers = [];
    const failure = this.#write();
    for (const answer of answers) answer(failure);
  }

  /** Writes what is kept, waits for the disk, closes. */
  async close(): Promise<void> {
    this.flush();
    for (const timer of this.#timers) clearInterval(timer);
    this.#publish();
    await new Promise<void>((resolve) => fsync(this.#fd, () => resolve()));
    closeSync(this.#fd);
  }

  #append(fields: string): void {
    const { line, head } = sealLine(this.#head, Date.now(), fields);
    this.#lines.push(line);
    this.#head = head;
  }

  #write(): SignetError | undefined {
    if (this.#lines.length === 0) return undefined;
    const lines = Buffer.from(`${this.#lines.join('\n')}\n`);
    const count = this.#lines.length;
    this.#lines = [];
    try {
      writeWhole(this.#writeSync, this.#fd, lines, this.#bytes);
      this.#bytes += lines.length;
      this.#written = this.#head;
      this.#untold = 0;
      this.#dirty = true;
      if (this.#bytes > this.#options.rotateBytes) this.#rotate();
      return undefined;
    } catch (thrown) {
      return this.#lose(count, thrown);
    }
  }

  /** The chain goes on behind the last line that was written, with a line that tells how many are lost. */
  #lose(count: number, thrown: unknown): SignetError | undefined {
    if (this.#lost === 0)
      this.#log.error({ err: thrown, file: this.#options.file }, 'the audit file cannot be written');
    const attempts = count - (this.#untold > 0 ? 1 : 0);
    this.#lost += attempts;
    this.#untold += attempts;
    this.#head = this.#written;
    if (this.#options.onFailure === 'continue') return undefined;
    return new SignetError(
      'unavailable',
      'the audit record cannot be written, and the configuration refuses to sign without it',
    );
  }

  #rotate(): void {
    const { file, keepFiles } = this.#options;
    closeSync(this.#fd);
    for (let n = keepFiles; n >= 1; n--) renameIfThere(n === 1 ? file : `${file}.${n - 1}`, `${file}.${n}`);
    if (keepFiles === 0) unlinkSync(file);
    this.#fd = openSync(file, 'a', 0o600);
    this.#bytes = fstatSync(this.#fd).size;
  }

  #sync(): void {
    if (!this.#dirty || this.#syncing) return;
    this.#dirty = false;
    this.#syncing = true;
    fsync(this.#fd, (err) => {
      this.#syncing = false;
      if (err && err.code !== 'EBADF') this.#log.error({ err }, 'fsync of the audit file failed');
    });
  }

  #publish(): void {
    this.#log.info({ audit: this.#head }, 'head of the audit chain');
  }
}

type WriteSync = (fd: number, bytes: Buffer, offset: number) => number;

/** All or nothing: a part that was written before an error is cut off again. */
function writeWhole(write: WriteSync, fd: number, bytes: Buffer, at: number): void {
  let written = 0;
  try {
    while (written < bytes.length) written += write(fd, bytes, written);
  } catch (thrown) {
    if (written > 0) ftruncateSync(fd, at);
    throw thrown;
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
  }
}
