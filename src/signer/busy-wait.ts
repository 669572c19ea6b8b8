import { setTimeout as delay } from 'node:timers/promises';
import { CKR_OPERATION_ACTIVE, ckrCodeOf, ckrOf } from './ckr.js';
import type { Token } from './token.js';

/** The first wait and the longest, in milliseconds; each is twice the one before, less up to a half so that signers do not come all at once. */
const WAIT_MS_MIN = 2;
const WAIT_MS_MAX = 100;

/** How long a call may be made again. */
export interface Patience {
  /** In milliseconds. */
  readonly tokenBusyMs: number;
  /** When it ends in any case, by performance.now(), in milliseconds. */
  readonly deadlineMs: number;
}

/**
 * Makes a call, and makes it again as long as the token answers that it is busy and patience lasts. Throws what the call threw last.
 * The process sleeps in between: it has one session, and whatever else it could ask for would come to the same busy token.
 */
export function whileBusy<T>(token: Token, patience: Patience, call: () => T): T {
  const waits = new Waits(patience, () => endOperation(token));
  for (;;) {
    try {
      return call();
    } catch (error) {
      Atomics.wait(NEVER, 0, 0, waits.next(error));
    }
  }
}

/** The same where other sessions go on in between; the call itself ends an operation that was left active. */
export async function whileBusyAside<T>(patience: Patience, call: () => Promise<T>): Promise<T> {
  const waits = new Waits(patience, () => undefined);
  for (;;) {
    try {
      return await call();
    } catch (error) {
      await delay(waits.next(error));
    }
  }
}

class Waits {
  readonly #patience: Patience;
  readonly #endOperation: () => void;
  #waitMs = WAIT_MS_MIN;
  #untilMs: number | undefined;

  constructor(patience: Patience, endOperation: () => void) {
    this.#patience = patience;
    this.#endOperation = endOperation;
  }

  /** How long to wait after this error, in milliseconds. Throws it if the call is not to be made again. */
  next(error: unknown): number {
    const code = ckrCodeOf(error);
    if (code === undefined || ckrOf(code).fault !== 'busy') throw error;
    const { deadlineMs, tokenBusyMs } = this.#patience;
    this.#untilMs ??= Math.min(deadlineMs, performance.now() + tokenBusyMs);
    const sleepMs = this.#waitMs * (0.5 + Math.random() / 2);
    if (performance.now() + sleepMs > this.#untilMs) throw error;
    if (code === CKR_OPERATION_ACTIVE) this.#endOperation();
    this.#waitMs = Math.min(2 * this.#waitMs, WAIT_MS_MAX);
    return sleepMs;
  }
}

/** Nobody changes it, so a wait for it is a sleep. */
const NEVER = new Int32Array(new SharedArrayBuffer(4));
const DROPPED_BYTES = 1024;

/**
 * Ends an operation that was left active, without a signature: PKCS#11 2.40 has no call for it, but C_SignFinal "always terminates the
 * active signing operation" (§5.11) and there is no data yet.
 */
function endOperation({ p11, session }: Token): void {
  try {
    p11.C_SignFinal(session, Buffer.alloc(DROPPED_BYTES));
  } catch {
    // As a rule: nothing was active, or a mechanism for single parts cannot end like this. The operation is over all the same.
  }
}
