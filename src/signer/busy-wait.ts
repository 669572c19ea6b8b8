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
export function whileBusy<T>(token: Token, { tokenBusyMs, deadlineMs }: Patience, call: () => T): T {
  let untilMs: number | undefined;
  for (let waitMs = WAIT_MS_MIN; ; waitMs = Math.min(2 * waitMs, WAIT_MS_MAX)) {
    try {
      return call();
    } catch (error) {
      const code = ckrCodeOf(error);
      if (code === undefined || ckrOf(code).fault !== 'busy') throw error;
      untilMs ??= Math.min(deadlineMs, performance.now() + tokenBusyMs);
      const sleepMs = waitMs * (0.5 + Math.random() / 2);
      if (performance.now() + sleepMs > untilMs) throw error;
      if (code === CKR_OPERATION_ACTIVE) endOperation(token);
      Atomics.wait(NEVER, 0, 0, sleepMs);
    }
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
