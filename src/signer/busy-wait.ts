import { CKR_OPERATION_ACTIVE, ckrCodeOf, ckrOf } from './ckr.js';
import type { Token } from './token.js';

/** The first wait and the longest, in milliseconds; each is twice the one before, less up to a half so that signers do not come all at once. */
const WAIT_MS_MIN = 2;
const WAIT_MS_MAX = 100;

/**
 * Makes a call, and makes it again as long as the token answers that it is busy, for so many milliseconds. Throws what the call threw
 * last. The process sleeps in between: whatever else it could ask for would come to the same busy token. Jobs are tried again in the same
 * way by native/signer/sign_loop.c.
 */
export function whileBusy<T>(token: Token, tokenBusyMs: number, call: () => T): T {
  let waitMs = WAIT_MS_MIN;
  let untilMs: number | undefined;
  for (;;) {
    try {
      return call();
    } catch (error) {
      const code = ckrCodeOf(error);
      if (code === undefined || ckrOf(code).fault !== 'busy') throw error;
      const nowMs = performance.now();
      untilMs ??= nowMs + tokenBusyMs;
      const sleepMs = waitMs * (0.5 + Math.random() / 2);
      if (nowMs + sleepMs > untilMs) throw error;
      if (code === CKR_OPERATION_ACTIVE) endOperation(token);
      Atomics.wait(NEVER, 0, 0, sleepMs);
      waitMs = Math.min(2 * waitMs, WAIT_MS_MAX);
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
