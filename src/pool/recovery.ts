import type { Logger } from 'pino';
import { Breaker } from './breaker.js';
import { KeyBreakers } from './key-breakers.js';
import type { AnswerFrame } from './messages.js';
import type { SignerHandle } from './signer-handle.js';

/** How often a token that fails is asked for a signature, and a signer that is down to recover, in milliseconds. */
export const PROBE_MS = 1_000;
/** Jobs that one signer of a token that works otherwise may fail before it has to prove itself. */
const FAILURES_IN_A_ROW_OF_SIGNER = 2;
/** Orders to recover that a signer may fail before it is replaced: one on what it has, two with a new session. */
const TRIES_BEFORE_REPLACED = 3;
/** A new process for a signer that stays down is worth its start every so often, in milliseconds: some modules need one. */
const REPLACE_MS = 10_000;

/** What the recovery of a token has to know of it. */
export interface RecoveringToken {
  /** Those that live. */
  readonly signers: readonly SignerHandle[];
  /** Whether it is to have signers at all just now. */
  readonly isWanted: boolean;
  /** The breaker of the token, or of one of its keys, has opened or closed. */
  onBreaker(): void;
}

/**
 * Brings the signers of one token back to work, and keeps jobs from a token that does not work.
 *
 * A signer that has lost something climbs by itself (src/signer/ladder.ts). If that fails, it is told to try again, then with a new
 * session, then it is replaced. If the token itself fails, its breaker opens: all its signers are suspended, and one of them makes a
 * signature for nobody once a second, the probe, with its climb if it has lost something. The first that succeeds brings all back.
 * If only one of its keys fails, that key alone is kept away, and one job a second may try it.
 */
export class Recovery {
  readonly breaker = new Breaker();
  readonly #keys = new KeyBreakers();
  readonly #token: RecoveringToken;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #probedMs = Number.NEGATIVE_INFINITY;
  #replacedMs = Number.NEGATIVE_INFINITY;
  /** Signers take turns at probing. */
  #turn = 0;

  constructor(token: RecoveringToken, log: Logger) {
    this.#token = token;
    this.#log = log;
  }

  /** For each answer to a job with this key. */
  answered(signer: SignerHandle, spkiSha256: string, { status, content }: AnswerFrame): void {
    if (status === 'ok') {
      signer.failuresInARow = 0;
      this.breaker.succeeded();
      this.#keys.succeeded(spkiSha256);
    } else if (status === 'token_error' || status === 'busy') this.#failed(signer, spkiSha256, content.toString());
  }

  /** Whether the key is kept away, since the token signs with others only. */
  keyFails(spkiSha256: string): boolean {
    return this.#keys.isOpen(spkiSha256);
  }

  /** A session that is lost is no failure of the token; one that is lost again before it was of use is. */
  lost(signer: SignerHandle): void {
    if (signer.failuresInARow++ > 0 && this.breaker.failed('its sessions do not last')) this.#opened();
  }

  /** A signer that was started has told its keys; that the token signs is not known by that. */
  started(signer: SignerHandle): void {
    if (this.breaker.state === 'closed') return;
    signer.suspend();
    if (performance.now() - this.#probedMs >= PROBE_MS) this.#recover(signer);
    this.#tickLater();
  }

  up(signer: SignerHandle): void {
    this.#log.info({ signer: signer.pid }, 'signer has recovered');
    this.#keys.tokenSigned();
    if (this.breaker.state === 'closed') return;
    this.#log.info({ open_ms: Math.round(this.breaker.openMs) }, 'token works again: its breaker is closed');
    this.breaker.close();
    for (const other of this.#down) this.#recover(other);
    this.#token.onBreaker();
  }

  down(signer: SignerHandle, because: string): void {
    this.#log.warn({ signer: signer.pid, error: because }, 'signer is down');
    this.#cannotClimb(because);
    this.#tickLater();
  }

  /** A signer ended before it was ready, by the token's fault. */
  startFailed(because: string): void {
    this.#cannotClimb(because);
  }

  /** The token is wanted again: what lived on in the meantime is seen to. */
  resume(): void {
    if (this.#down.length > 0) this.#tickLater();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** How long a start that follows a failed one has to wait at least, in milliseconds: while the breaker is open it is a probe. */
  get startDelayMs(): number {
    return this.breaker.state === 'open' ? PROBE_MS : 0;
  }

  get #down(): SignerHandle[] {
    return this.#token.signers.filter((signer) => signer.isDown);
  }

  #cannotClimb(because: string): void {
    const isLast = !this.#token.signers.some(({ state }) => state === 'ready');
    if (isLast ? this.breaker.trip(because) : this.breaker.failed(because)) this.#opened();
  }

  #failed(signer: SignerHandle, spkiSha256: string, because: string): void {
    const whose = this.#keys.failed(spkiSha256);
    if (whose === 'opens') this.#keyOpened(spkiSha256, because);
    if (whose !== 'token') return;
    signer.failuresInARow++;
    if (this.breaker.failed(because)) this.#opened();
    if (signer.failuresInARow >= FAILURES_IN_A_ROW_OF_SIGNER) this.#doubt(signer);
  }

  #keyOpened(spkiSha256: string, because: string): void {
    this.#log.error({ key: spkiSha256, error: because }, 'token fails with this key only: it is kept away');
    this.#token.onBreaker();
    setTimeout(() => {
      this.#keys.tryAgain(spkiSha256);
      this.#token.onBreaker();
    }, PROBE_MS).unref();
  }

  #opened(): void {
    this.#log.error({ error: this.breaker.because }, 'token fails: its breaker is open');
    for (const signer of this.#token.signers) signer.suspend();
    this.#token.onBreaker();
    this.#tickLater();
  }

  #doubt(signer: SignerHandle): void {
    signer.suspend();
    if (this.breaker.state === 'closed') this.#recover(signer);
  }

  #tickLater(): void {
    this.#timer ??= setTimeout(() => this.#tick(), PROBE_MS).unref();
  }

  #tick(): void {
    this.#timer = undefined;
    if (!this.#token.isWanted) return;
    const down = this.#down;
    if (this.breaker.state === 'closed') {
      for (const signer of down) this.#recover(signer);
      return;
    }
    const prober = down[this.#turn++ % Math.max(1, down.length)];
    if (prober) this.#recover(prober);
    this.#tickLater();
  }

  /** One rung higher than the last time: a proof on what it has, a new session, a new process if there was none lately. */
  #recover(signer: SignerHandle): void {
    const nowMs = performance.now();
    this.#probedMs = nowMs;
    if (signer.tries < TRIES_BEFORE_REPLACED || nowMs - this.#replacedMs < REPLACE_MS) {
      return signer.recover(signer.tries === 1 || signer.tries === 2);
    }
    this.#replacedMs = nowMs;
    signer.kill('died', 'it did not recover, and is replaced');
  }
}
