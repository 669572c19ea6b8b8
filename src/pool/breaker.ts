/** closed: jobs go to the token. open: none does, until a probe has shown that it works. */
export type BreakerState = 'closed' | 'open';

/** Failures in a row that open it. Each signer of the token may have a job there by then that fails as well. */
export const FAILURES_IN_A_ROW = 3;
/** Failures within the window that open it, whatever was well in between. */
export const FAILURES_IN_WINDOW = 10;
export const WINDOW_MS = 60_000;

/**
 * Whether a token is worth being asked: after so many failures it is not, and who asks is told so at once instead of waiting for one more
 * failure. It keeps no timer: whoever owns it sends the probes.
 *
 * Only what the token is to blame for counts: not a request that cannot be served, and not a session that is lost, which a restarted
 * token makes of all at once and which is opened anew.
 */
export class Breaker {
  readonly #nowMs: () => number;
  /** When it failed lately, oldest first; at most FAILURES_IN_WINDOW. */
  #failuresMs: number[] = [];
  #inARow = 0;
  #openedMs: number | undefined;
  #because = '';
  #openings = 0;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  get state(): BreakerState {
    return this.#openedMs === undefined ? 'closed' : 'open';
  }

  /** The failure that opened it, in a sentence; empty while it is closed. */
  get because(): string {
    return this.#because;
  }

  /** For how long it has been open, in milliseconds; 0 while it is closed. */
  get openMs(): number {
    return this.#openedMs === undefined ? 0 : this.#nowMs() - this.#openedMs;
  }

  /** How often it has opened. */
  get openings(): number {
    return this.#openings;
  }

  /** The token made a signature. It does not close an open breaker: the job may have begun before. */
  succeeded(): void {
    this.#inARow = 0;
  }

  /** The token failed. True if that opens it. */
  failed(because: string): boolean {
    if (this.state === 'open') return false;
    const nowMs = this.#nowMs();
    this.#inARow++;
    this.#failuresMs.push(nowMs);
    if (this.#failuresMs.length > FAILURES_IN_WINDOW) this.#failuresMs.shift();
    const oldestMs = this.#failuresMs[0] ?? nowMs;
    const isFull = this.#failuresMs.length === FAILURES_IN_WINDOW && nowMs - oldestMs < WINDOW_MS;
    return (isFull || this.#inARow >= FAILURES_IN_A_ROW) && this.trip(because);
  }

  /** Nothing of the token is left that could serve. True if that opens it. */
  trip(because: string): boolean {
    if (this.state === 'open') return false;
    this.#openedMs = this.#nowMs();
    this.#because = because;
    this.#openings++;
    return true;
  }

  /** A probe has shown that the token works; what was before counts no more. */
  close(): void {
    this.#openedMs = undefined;
    this.#because = '';
    this.#inARow = 0;
    this.#failuresMs = [];
  }
}
