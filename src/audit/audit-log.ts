import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { SignetError } from '../errors.js';
import type { AttemptRecord, AuditTrail } from '../shared-state.js';
import { AppendFile, type AppendFileOptions, type WriteSync } from './append-file.js';
import { attemptFields, type Head, lostFields, NO_HASH, sealLine, startFields } from './record.js';
import { readTail } from './tail.js';

export interface AuditOptions extends AppendFileOptions {
  /** What happens when a line cannot be written: `refuse` answers the attempts `unavailable`; `continue` answers them and counts the loss. */
  readonly onFailure: 'refuse' | 'continue';
  /** How long a written line may wait for its way to the disk, in milliseconds. */
  readonly fsyncMs: number;
  /** How often the head is published in the service's log, in milliseconds. */
  readonly publishHeadMs: number;
}

type Answer = (failure: SignetError | undefined) => void;

interface Pending {
  readonly line: string;
  /** Behind the line. */
  readonly head: Head;
  /** None for the lines that are not of an attempt. */
  readonly answer: Answer | undefined;
}

/**
 * The record of every attempt: one line each, chained by hashes, written before its answer leaves.
 *
 * Attempts of one turn of the event loop share one write: `record` keeps the line and its answer; when the turn's I/O has been
 * handled all lines go out in one write(2), then the answers leave. A line is in the file as a whole, or its attempt is lost:
 * then a `lost` line follows as soon as one can be written.
 */
export class AuditLog implements AuditTrail {
  readonly #options: AuditOptions;
  readonly #log: Logger;
  readonly #file: AppendFile;
  readonly #timers: readonly NodeJS.Timeout[];
  #pending: Pending[] = [];
  /** Behind the last line that is kept or written. */
  #head: Head;
  /** Behind the last line that is in the file. */
  #written: Head;
  #published = 0;
  #lost = 0;
  /** Lost lines that no line in the file tells of yet. */
  #untold = 0;

  /** Opens or begins the file. Throws SignetError invalid_argument if it cannot be written or is no audit file. */
  constructor(options: AuditOptions, log: Logger, version: string, write?: WriteSync) {
    this.#options = options;
    this.#log = log;
    this.#file = new AppendFile(options, log, write);
    this.#head = this.#findHead();
    this.#written = this.#head;
    this.#keep(startFields({ type: 'start', version, pid: process.pid }), undefined);
    this.flush();
    this.#timers = [
      setInterval(() => this.#file.tend(), options.fsyncMs).unref(),
      setInterval(() => this.#publish(), options.publishHeadMs).unref(),
    ];
    this.#publish();
  }

  /** Lines that could not be written since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** Keeps a line for this turn's write; `answer` is called after it, with the failure if the attempt must be refused. */
  record(record: AttemptRecord, answer: Answer): void {
    if (this.#pending.length === 0) setImmediate(() => this.flush());
    this.#tellOfLoss();
    this.#keep(attemptFields(record), answer);
  }

  /** Writes what is kept and lets the answers leave. */
  flush(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    const written = this.#write(pending);
    const failure = written < pending.length ? this.#lose(pending, written) : undefined;
    pending.forEach(({ answer }, i) => {
      if (answer) this.#leave(answer, i < written ? undefined : failure);
    });
  }

  /** Writes what is kept, waits for the disk, closes. */
  async close(): Promise<void> {
    this.flush();
    this.#tellOfLoss();
    this.flush();
    for (const timer of this.#timers) clearInterval(timer);
    this.#publish();
    await this.#file.close();
  }

  /** A service that begins while another one still writes the file has a chain of its own in it. */
  #findHead(): Head {
    const { file } = this.#options;
    const { head, torn } = readTail(file);
    if (torn) {
      this.#file.endTornLine();
      this.#log.warn({ file }, 'the last line of the audit file is torn');
    }
    const isAlone = this.#file.mine;
    if (!isAlone)
      this.#log.warn({ file }, 'another service writes the audit file; a chain of its own begins beside it');
    return isAlone && head ? head : { chain: randomBytes(16).toString('hex'), seq: 0, hash: NO_HASH };
  }

  #tellOfLoss(): void {
    if (this.#untold > 0 && this.#pending.length === 0) this.#keep(lostFields(this.#untold), undefined);
  }

  #keep(fields: string, answer: Answer | undefined): void {
    const { line, head } = sealLine(this.#head, Date.now(), fields);
    this.#pending.push({ line, head, answer });
    this.#head = head;
  }

  /** How many of the lines are in the file. */
  #write(pending: readonly Pending[]): number {
    const { bytes, failure } = this.#file.append(bytesOf(`${pending.map(({ line }) => line).join('\n')}\n`));
    const written = failure === undefined ? pending.length : wholeLines(pending, bytes);
    if (failure !== undefined && this.#untold === 0)
      this.#log.error({ err: failure, file: this.#options.file }, 'the audit file cannot be written');
    if (written === 0) return 0;
    if (this.#untold > 0) this.#log.warn({ lost: this.#untold }, 'the audit file can be written again');
    this.#untold = 0;
    this.#written = pending[written - 1]?.head ?? this.#written;
    return written;
  }

  /** The chain goes on behind the last line that was written, with a line that tells how many are lost. */
  #lose(pending: readonly Pending[], written: number): SignetError | undefined {
    const tells = written === 0 && this.#untold > 0;
    const lines = pending.length - written - (tells ? 1 : 0);
    this.#lost += lines;
    this.#untold += lines;
    this.#head = this.#written;
    if (this.#options.onFailure === 'continue') return undefined;
    return new SignetError(
      'unavailable',
      'the audit record cannot be written, and the configuration refuses to sign without it',
    );
  }

  /** The others must not miss their answers. */
  #leave(answer: Answer, failure: SignetError | undefined): void {
    try {
      answer(failure);
    } catch (err) {
      this.#log.error({ err }, 'an answer could not leave');
    }
  }

  #publish(): void {
    if (this.#written.seq === this.#published) return;
    this.#published = this.#written.seq;
    this.#log.info({ audit: this.#written }, 'head of the audit chain');
  }
}

/** Reused for every write: memory that is allocated anew for each costs more than it takes to fill it. */
const lines = Buffer.allocUnsafeSlow(64 * 1024);
/** Of a UTF-16 code unit in UTF-8. */
const CHARACTER_BYTES_MAX = 3;

/** Valid until the next call. */
function bytesOf(text: string): Buffer {
  return text.length * CHARACTER_BYTES_MAX > lines.length ? Buffer.from(text) : lines.subarray(0, lines.write(text));
}

/** How many lines the first `bytes` hold. One that lacks nothing but its line feed is whole: the next write begins with that. */
function wholeLines(pending: readonly Pending[], bytes: number): number {
  let left = bytes;
  const torn = pending.findIndex(({ line }) => {
    left -= Buffer.byteLength(line);
    return left-- < 0;
  });
  return torn < 0 ? pending.length : torn;
}
