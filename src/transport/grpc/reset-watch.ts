import type { Caller } from '../../caller.js';

/**
 * Callers that open calls and take them back faster than anyone has reason to (CVE-2023-44487: a reset costs its sender nothing and the
 * service a call). Counted for a caller, not for a connection: connections are cheap. Whoever exceeds is barred for a while.
 */
export class ResetWatch {
  readonly #callers = new Map<string, Resets>();

  /** A call was taken back early. Whether its caller has done so too often: its connection is to be cut. */
  note(caller: Caller, nowMs: number): boolean {
    const resets = this.#resetsOf(nameOf(caller), nowMs);
    resets.left = Math.min(BURST, resets.left + ((nowMs - resets.atMs) * PER_S) / 1000) - 1;
    resets.atMs = nowMs;
    if (resets.left >= 0) return false;
    resets.left = 0;
    if (nowMs >= resets.barredUntilMs) this.#bar(resets, nowMs);
    return true;
  }

  /** Whether it must not connect now. */
  isBarred(caller: Caller, nowMs: number): boolean {
    const resets = this.#callers.size > 0 && this.#callers.get(nameOf(caller));
    return resets ? nowMs < resets.barredUntilMs : false;
  }

  #bar(resets: Resets, nowMs: number): void {
    const isRepeated = resets.barredMs > 0 && nowMs - resets.barredUntilMs < BARRED_MS_MAX;
    resets.barredMs = isRepeated ? Math.min(BARRED_MS_MAX, 2 * resets.barredMs) : BARRED_MS_MIN;
    resets.barredUntilMs = nowMs + resets.barredMs;
  }

  #resetsOf(name: string, nowMs: number): Resets {
    let resets = this.#callers.get(name);
    if (!resets) {
      if (this.#callers.size >= CALLERS_MAX) this.#forget(nowMs);
      resets = { left: BURST, atMs: nowMs, barredUntilMs: 0, barredMs: 0 };
      this.#callers.set(name, resets);
    }
    return resets;
  }

  /** Those who have done nothing for so long that they have all their burst again. */
  #forget(nowMs: number): void {
    for (const [name, { atMs, barredUntilMs }] of this.#callers) {
      if (nowMs - atMs > (BURST / PER_S) * 1000 && nowMs - barredUntilMs > BARRED_MS_MAX) this.#callers.delete(name);
    }
  }
}

/** So many at once, and then so many a second, may have reasons: a caller that restarts, visitors that go away. */
const BURST = 100;
const PER_S = 50;
/** Long enough that what slips through before it is noticed is a small part of the time of all others; twice as long each time. */
const BARRED_MS_MIN = 30_000;
const BARRED_MS_MAX = 600_000;
/** Names of certificates are many where a CA gives one to everybody. */
const CALLERS_MAX = 4_096;

interface Resets {
  left: number;
  atMs: number;
  barredUntilMs: number;
  barredMs: number;
}

/** Without what changes from one connection to the next. */
export function nameOf(caller: Caller): string {
  if (caller.kind === 'api_key') return nameOf(caller.connection);
  if (caller.kind === 'unix') return `${caller.role} ${caller.uid} ${caller.gid}`;
  return caller.names.join(' ');
}
