import type { Socket } from 'node:net';
import {
  ANSWER_FRAME_BYTES_MAX,
  decodeJob,
  FrameReader,
  FrameType,
  type SignerConfiguration,
  typeOf,
  writeAnswer,
} from '../pool/messages.js';
import { openSocket } from '../read-in-place.js';
import { writeTogether } from '../write-at-once.js';
import type { Retires } from './ckr.js';
import { FRONT_FD } from './connection.js';
import { Ladder } from './ladder.js';
import { lastWords } from './last-words.js';
import { obey } from './orders.js';
import { type Served, serveJobAside } from './serve-job.js';
import { SessionThreads } from './session-threads.js';
import { closeSideSessions, openSideSessions } from './side-sessions.js';
import type { OpenSession, Token } from './token.js';

/**
 * A signer with several sessions, for a token that is slow but does many things at once, as an HSM in a network does: jobs are signed
 * side by side, each in a session with a thread of its own, beside an event loop. Whatever concerns all sessions, such as orders of the
 * front and a session that was lost, waits until none of them signs.
 *
 * Resolves when the front has closed its end: true if all went well, false if the signer had to give up, and has told the front why.
 */
export function signSideBySide(configuration: SignerConfiguration): Promise<boolean> {
  return new Promise((resolve) => new SideBySide(configuration, resolve).start());
}

class SideBySide {
  readonly #configuration: SignerConfiguration;
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  #ladder: Ladder | undefined;
  /** What the sessions were opened beside: another one means that they are gone. */
  #beside: OpenSession | undefined;
  #sessions: readonly Token[] = [];
  #threads: SessionThreads | undefined;
  /** Jobs that the threads have. */
  #signing = 0;
  /** Jobs that wait for orders to be obeyed. */
  #jobs: Buffer[] = [];
  /** Things to do when no session signs. */
  readonly #orders: (() => void)[] = [];
  /** Frames of this turn of the event loop. */
  #outbox: Buffer[] = [];
  #failed = false;

  constructor(configuration: SignerConfiguration, ended: (well: boolean) => void) {
    this.#configuration = configuration;
    this.#socket = openSocket(FRONT_FD, (chunk) => this.#guarded(() => this.#receive(chunk)));
    // A front that died resets the connection; the 'close' that follows says all there is to say.
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.#close();
      ended(!this.#failed);
    });
  }

  start(): void {
    this.#guarded(() => {
      const ladder = new Ladder(this.#configuration, (frame) => this.#send(frame));
      this.#ladder = ladder;
      this.#orders.push(() => ladder.climb());
      this.#work();
    });
  }

  /** A frame lies in memory that is read into again: it is copied. That with the PIN, too, is wiped where it is used. */
  #receive(chunk: Buffer): void {
    this.#reader.push(chunk, (frame) => {
      const copy = Buffer.from(frame);
      if (typeOf(copy) === FrameType.job) this.#jobs.push(copy);
      else this.#order((ladder) => obey(ladder, copy));
    });
    chunk.fill(0);
    this.#work();
  }

  #order(what: (ladder: Ladder) => void): void {
    const ladder = this.#ladder;
    if (ladder) this.#orders.push(() => what(ladder));
  }

  #work(): void {
    if (this.#failed) return;
    if (this.#orders.length > 0 && this.#signing === 0) this.#obeyAll();
    if (this.#orders.length > 0) return;
    const jobs = this.#jobs;
    this.#jobs = [];
    for (const frame of jobs) {
      if (this.#threads) void this.#sign(this.#threads, frame);
      else this.#refuse(frame);
    }
  }

  #obeyAll(): void {
    for (let order = this.#orders.shift(); order; order = this.#orders.shift()) order();
    const token = this.#ladder?.footing?.token;
    if (token === this.#beside) return;
    this.#closeSides();
    this.#beside = token;
    if (!token) return;
    this.#sessions = openSideSessions(token, this.#configuration.sessions ?? 1);
    this.#threads = new SessionThreads(this.#configuration.module, this.#sessions);
  }

  #closeSides(): void {
    this.#threads?.close();
    this.#threads = undefined;
    closeSideSessions(this.#sessions);
    this.#sessions = [];
  }

  /** While the signer is down it has nothing to wait for. */
  #refuse(frame: Buffer): void {
    const { id } = decodeJob(frame);
    this.#answer(id, { status: 'no_session', tokenUs: 0, content: DOWN, retires: 'nothing' });
  }

  async #sign(threads: SessionThreads, frame: Buffer): Promise<void> {
    this.#signing++;
    const job = decodeJob(frame);
    const served = await serveJobAside(this.#ladder?.footing, threads, this.#configuration, job);
    const { retires, content } = served;
    this.#guarded(() => {
      this.#signing--;
      this.#answer(job.id, served);
      if (retires !== 'nothing') this.#order((ladder) => lose(ladder, retires, content.toString()));
      this.#work();
    });
  }

  #answer(id: number, { status, tokenUs, content }: Served): void {
    const frame = Buffer.allocUnsafe(ANSWER_FRAME_BYTES_MAX);
    this.#send(frame.subarray(0, writeAnswer(frame, id, status, tokenUs, content)));
  }

  /** All that is sent in a turn of the event loop goes in one write. */
  #send(frame: Buffer): void {
    if (this.#outbox.length === 0) setImmediate(() => this.#flush());
    this.#outbox.push(frame);
  }

  #flush(): void {
    const frames = this.#outbox;
    this.#outbox = [];
    writeTogether(this.#socket, frames);
  }

  /** What was answered so far leaves before the last words. */
  #guarded(call: () => void): void {
    if (this.#failed) return;
    try {
      call();
    } catch (error) {
      this.#failed = true;
      this.#outbox.push(lastWords(error));
      this.#flush();
      this.#socket.end(() => this.#socket.destroy());
    }
  }

  /** With a session that still signs, nothing can be closed, and what the module does at exit would crash under its threads. */
  #close(): void {
    if (this.#signing > 0) process.kill(process.pid, 'SIGKILL');
    this.#closeSides();
    this.#ladder?.close();
  }
}

const DOWN = Buffer.from('the signer has lost its session');

/** Several sessions may find out at once; what is gone is let go once. */
function lose(ladder: Ladder, retires: Retires, because: string): void {
  if (ladder.footing || retires === 'signer') ladder.lose(retires, because);
}
