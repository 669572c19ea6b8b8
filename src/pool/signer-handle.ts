import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { TokenConfig } from '../config/schema.js';
import type { LoginRequest } from '../login-hold.js';
import { openSocket } from '../read-in-place.js';
import type { SignJob } from '../sign-job.js';
import { JobOutbox } from './job-outbox.js';
import { JobsAtSigner, type Orphans } from './jobs-at-signer.js';
import {
  type AnswerFrame,
  type DownReport,
  decodeAnswer,
  decodeDown,
  decodeFailed,
  decodeKeys,
  decodeLogin,
  encodeConfigure,
  encodeJob,
  encodePin,
  encodeRecover,
  encodeRefresh,
  type FailureReport,
  FrameReader,
  FrameType,
  idOf,
  type KeysReport,
  typeOf,
} from './messages.js';
import type { SignerState } from './pool.js';
import { configurationOf, spawnSigner } from './signer-process.js';
import { logStderr } from './stderr-log.js';

/** Loading a module; and again, from its turn to log in, logging in and listing the keys of a network HSM. A signer that takes longer is killed. */
const CLIMB_MS_MAX = 30_000;
/** A signer that hangs while it lists its keys is left to the watch over its jobs; who waits for the list does not wait for ever. */
const REFRESH_MS_MAX = 30_000;
/** What a process wrote last is there when it ends; a socket that stays longer was inherited by a stranger. */
const LAST_WORDS_MS_MAX = 100;
/** A process ends a moment after its socket: on a busy machine, where it must wait to be run for that, a tenth of a second. */
const EXIT_MS_MAX = 1_000;

/** Why a signer ended. `stopped`: the front wanted it. */
export type EndReason = FailureReport['reason'] | 'died' | 'hung' | 'stopped';

export interface SignerListener {
  /** It would log in, and waits for `givePin`. */
  onLogin(request: LoginRequest): void;
  /** The token took the PIN. */
  onLoggedIn(): void;
  /** The keys, when it is ready, after each refresh, and on its way up again. */
  onKeys(report: KeysReport): void;
  /** The token took something away that it needs: it climbs by itself. */
  onLost(): void;
  /** It has proven that it can sign again. */
  onUp(): void;
  /** It tried and cannot; it waits for `recover`. */
  onDown(report: DownReport): void;
  onAnswer(job: SignJob, answer: AnswerFrame): void;
  /** Once, at last. */
  onEnd(reason: EndReason, message: string, orphans: Orphans): void;
}

/**
 * A signer process as the front sees it, from its start to its end. starting -> ready -> draining -> dead, or straight to dead; between
 * ready and recovering as often as the token takes something away or is in doubt.
 */
export class SignerHandle {
  readonly #child: ChildProcess;
  readonly #socket: Socket;
  readonly #log: Logger;
  readonly #listener: SignerListener;
  readonly #hangMs: number;
  /** Name of its token. */
  readonly token: string;
  /** How many signatures it makes side by side. */
  readonly sessions: number;
  readonly #jobs: JobsAtSigner;
  readonly #refreshes = new Map<number, () => void>();
  readonly #reader = new FrameReader();
  readonly #outbox: JobOutbox;
  #state: SignerState = 'starting';
  #keys: ReadonlySet<string> = new Set();
  #refreshId = 1;
  /** Whether it was not asked to look for its keys again when the others were: what it tells of them may be older. */
  #missedRefresh = false;
  #watch: NodeJS.Timeout | undefined;
  #climbWatch: NodeJS.Timeout | undefined;
  /** Whether it is on its way to be ready, and will tell how that ended. */
  #climbing = true;
  #failure: { reason: EndReason; message: string } | undefined;
  signatures = 0;
  /** How often it was ready again without being replaced. */
  recoveries = 0;
  /** Kept by the Recovery of its token: jobs that the token failed since the last signature, and orders to recover since it was up. */
  failuresInARow = 0;
  tries = 0;

  /** Throws when the process has no descriptors left. */
  constructor(token: TokenConfig, log: Logger, listener: SignerListener) {
    const { child, fd } = spawnSigner(token);
    this.#child = child;
    // First of all: an 'error' that nobody listens to ends the front.
    child.on('error', (error) => this.#notStarted(error));
    this.#socket = openSocket(fd, (chunk) => this.#receive(chunk));
    this.#outbox = new JobOutbox(this.#socket);
    this.#log = log.child({ signer: this.pid });
    this.#listener = listener;
    this.#hangMs = token.sign_hang_ms;
    this.token = token.name;
    this.sessions = token.sessions;
    this.#jobs = new JobsAtSigner(token.sessions);
    this.#listen();
    this.#socket.write(encodeConfigure(configurationOf(token)));
    this.#watchClimb();
  }

  /** 0 if it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get state(): SignerState {
    return this.#state;
  }

  get inFlight(): number {
    return this.#jobs.size;
  }

  /** Jobs for each session. */
  get load(): number {
    return this.#jobs.size / this.sessions;
  }

  /** Whether it waits to be told to recover. */
  get isDown(): boolean {
    return this.#state === 'recovering' && !this.#climbing;
  }

  /** Whether its climb needs a login, or may. */
  get isClimbing(): boolean {
    return this.#climbing && (this.#state === 'starting' || this.#state === 'recovering');
  }

  hasRoomFor(spkiSha256: string): boolean {
    return this.#jobs.hasRoom && this.canSignWith(spkiSha256);
  }

  /** Whether it has the key and takes jobs, be it busy at the moment. */
  canSignWith(spkiSha256: string): boolean {
    return this.#state === 'ready' && this.#keys.has(spkiSha256);
  }

  /** Which keys it says that it has, by SPKI SHA-256. */
  useKeys(spkiSha256s: Iterable<string>): void {
    this.#keys = new Set(spkiSha256s);
  }

  /** Hands it a job; the caller has asked `hasRoomFor`. */
  hand(job: SignJob): void {
    job.token = this.token;
    const id = this.#jobs.add(job);
    this.#watch ??= setTimeout(() => this.#checkHang(), this.#hangMs);
    const { algorithm, inputIsDigest, key, input, deadlineMs } = job;
    const frame = encodeJob(id, algorithm.scheme, inputIsDigest, key.spkiSha256, input, deadlineMs);
    // One that is idle gets it now; one that is busy, with what else this turn of the event loop has for it.
    if (this.#jobs.size === 1) this.#outbox.send(frame);
    else this.#outbox.sendSoon(frame);
  }

  /** Its turn to log in, with a PIN that is wiped. */
  givePin(pin: Buffer): void {
    const frame = encodePin(pin);
    pin.fill(0);
    this.#watchClimb();
    this.#socket.write(frame, () => frame.fill(0));
  }

  /** Lets it look for its keys again. Resolves when it has answered, ended, or not answered in time. */
  async refresh(): Promise<void> {
    this.#missedRefresh = this.#state !== 'ready';
    if (this.#missedRefresh) return;
    const id = this.#refreshId++;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, REFRESH_MS_MAX);
      this.#refreshes.set(id, () => {
        clearTimeout(timer);
        resolve();
      });
      this.#outbox.flush();
      this.#socket.write(encodeRefresh(id));
    });
    this.#refreshes.delete(id);
  }

  /** It gets no jobs until it has proven itself by `recover`. Those that lie there it still answers. */
  suspend(): void {
    if (this.#state !== 'ready') return;
    this.#state = 'recovering';
    this.#climbing = false;
    this.#endRefreshes();
  }

  /** Lets it prove that it can sign, after whatever it lacks for that; `reopen`: in a new session. onUp or onDown tells how it went. */
  recover(reopen: boolean): void {
    if (!this.isDown) return;
    this.tries++;
    this.#watchClimb();
    this.#outbox.flush();
    this.#socket.write(encodeRecover(reopen));
  }

  /** No new jobs; ends when its last one is answered. */
  drain(): void {
    if (this.#state === 'dead') return;
    this.#failure ??= { reason: 'stopped', message: 'drained' };
    this.#state = 'draining';
    if (this.#jobs.size === 0) this.#socket.end();
  }

  kill(reason: EndReason, message: string): void {
    if (this.#state === 'dead') return;
    // What the token said to the PIN must not be forgotten: it would be tried again.
    if (this.#failure?.reason !== 'wrong_pin') this.#failure = { reason, message };
    this.#state = 'draining';
    this.#child.kill('SIGKILL');
  }

  #listen(): void {
    if (!this.#child.stderr) {
      this.#socket.destroy();
      throw new Error('no pipe for the signer; raise the limit of open files (ulimit -n)');
    }
    logStderr(this.#child.stderr, this.#log);
    // A failed write is a dead signer; its end is told by the close that follows.
    this.#socket.on('error', (error) => this.#log.debug({ err: error }, 'socket of the signer'));
    this.#socket.on('close', () => this.#closed());
    this.#child.on('exit', (code, signal) => this.#exited(signal ?? `exit status ${code}`));
  }

  /** The process is about to end, or has ended; how is worth a moment's patience. */
  #closed(): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.pid === 0) return this.#end();
    this.#state = 'draining';
    // If this process did not run for so long, the news of the exit are there, but timers come before them.
    setTimeout(() => setImmediate(() => this.#stayed()), EXIT_MS_MAX).unref();
  }

  #stayed(): void {
    if (this.#state === 'dead') return;
    this.#child.kill('SIGKILL');
    this.#end();
  }

  /** What it wrote last may still have to be read. */
  #exited(how: string): void {
    this.#failure ??= { reason: 'died', message: `ended by ${how}` };
    if (this.#socket.closed) return this.#end();
    setTimeout(() => this.#socket.destroy(), LAST_WORDS_MS_MAX).unref();
  }

  #notStarted(error: Error): void {
    this.#failure ??= { reason: 'died', message: `the signer does not start: ${error.message}` };
    this.#socket?.destroy();
  }

  #watchClimb(): void {
    this.#climbing = true;
    clearTimeout(this.#climbWatch);
    this.#climbWatch = setTimeout(() => this.#hung(`not ready after ${CLIMB_MS_MAX} ms`), CLIMB_MS_MAX);
  }

  #endClimb(): void {
    this.#climbing = false;
    clearTimeout(this.#climbWatch);
  }

  #receive(chunk: Buffer): void {
    try {
      this.#reader.push(chunk, (frame) => this.#visit(frame));
      this.#outbox.flush();
    } catch (error) {
      // Nothing that a signer sends may end the front.
      this.#log.error({ err: error }, 'what the signer sent cannot be read');
      this.kill('died', 'sent what cannot be read');
    }
  }

  #visit(frame: Buffer): void {
    const type = typeOf(frame);
    if (type === FrameType.answer) this.#answered(decodeAnswer(frame));
    else if (type === FrameType.keys) this.#toldKeys(idOf(frame), decodeKeys(frame));
    else if (type === FrameType.failed) this.#failure = decodeFailed(frame);
    else if (type === FrameType.login) this.#asksForPin(decodeLogin(frame));
    else if (type === FrameType.loggedIn) this.#listener.onLoggedIn();
    else if (type === FrameType.up) this.#isUp();
    else if (type === FrameType.down) this.#fell(decodeDown(frame));
    else throw new Error(`expected a login, keys, an answer or a failure; a frame of type ${type} came`);
  }

  #answered(answer: AnswerFrame): void {
    const job = this.#jobs.take(answer.id);
    if (!job) throw new Error(`expected the answer to a job in flight; one to ${answer.id} came`);
    if (answer.status === 'ok') {
      this.signatures++;
      this.#jobs.learn(answer.tokenUs);
    }
    // It ends; a job that went there now would be lost.
    if (answer.status === 'lost') this.#state = 'draining';
    if (answer.status === 'no_session') this.#climbs();
    this.#listener.onAnswer(job, answer);
    if (this.#state === 'draining' && this.#jobs.size === 0) this.#socket.end();
  }

  /** How long it waits for its turn is the front's own doing. */
  #asksForPin(request: LoginRequest): void {
    // One of several sessions may be lost just when it was up again after another.
    this.#climbs();
    if (!this.isClimbing) return;
    clearTimeout(this.#climbWatch);
    this.#listener.onLogin(request);
  }

  /** It does so by itself, once. */
  #climbs(): void {
    if (this.#state !== 'ready') return;
    this.suspend();
    this.#watchClimb();
    this.#listener.onLost();
  }

  #isUp(): void {
    this.#endClimb();
    if (this.#state !== 'recovering') return;
    this.#state = 'ready';
    this.tries = 0;
    this.recoveries++;
    this.#looksAgain();
    this.#listener.onUp();
  }

  #fell(report: DownReport): void {
    if (this.#state === 'starting') this.#state = 'recovering';
    this.suspend();
    this.#endClimb();
    this.#listener.onDown(report);
  }

  #toldKeys(id: number, report: KeysReport): void {
    if (this.#looksAgain()) return;
    if (this.#state === 'starting') {
      this.#state = 'ready';
      this.#endClimb();
    }
    this.#listener.onKeys(report);
    this.#refreshes.get(id)?.();
  }

  /** Whether it is asked now for what it missed; its keys come after that. */
  #looksAgain(): boolean {
    if (!this.#missedRefresh || this.#state === 'draining') return false;
    this.#missedRefresh = false;
    if (this.#state === 'starting') this.#watchClimb();
    this.#socket.write(encodeRefresh(0));
    return true;
  }

  /** One timer per hang time, not per job: it looks how long the oldest job has been worked on and waits for the rest. */
  #checkHang(): void {
    this.#watch = undefined;
    const sinceMs = this.#jobs.oldestBegunMs;
    if (sinceMs === undefined) return;
    const leftMs = sinceMs + this.#hangMs - performance.now();
    if (leftMs <= 0) this.#hung(`no signature after ${this.#hangMs} ms`);
    else this.#watch = setTimeout(() => this.#checkHang(), Math.ceil(leftMs));
  }

  #hung(message: string): void {
    this.#log.error({ message }, 'signer hangs');
    this.kill('hung', message);
  }

  #end(): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    clearTimeout(this.#watch);
    this.#endClimb();
    this.#endRefreshes();
    const { reason, message } = this.#failure ?? { reason: 'died' as const, message: 'closed its connection' };
    // The operator or the kernel killed it, and perhaps others at the same time.
    const fromOutside = reason === 'died' && this.#child.signalCode === 'SIGKILL';
    this.#listener.onEnd(reason, message, this.#jobs.leave(fromOutside));
  }

  #endRefreshes(): void {
    for (const resolve of this.#refreshes.values()) resolve();
  }
}
