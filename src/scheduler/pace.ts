/**
 * By how much a token's sessions take longer for a job than the token's own time, while jobs wait: for what lies between two
 * signatures, and for what a busy machine adds. Learnt from how fast waiting jobs are handed on.
 */
export class Pace {
  #tookUs = 0;
  #expectedUs = 0;
  #lastMs = 0;

  /** At least 1: what waits can be late, never early. */
  get factor(): number {
    return this.#expectedUs === 0 ? 1 : Math.max(1, this.#tookUs / this.#expectedUs);
  }

  /** A job that waited was handed on, and `sessions` work side by side. */
  handed(costUs: number, sessions: number, nowMs: number): void {
    if (this.#lastMs > 0) {
      const tookUs = Math.min((nowMs - this.#lastMs) * 1000 * sessions, costUs * FACTOR_MAX);
      this.#tookUs += WEIGHT * (tookUs - this.#tookUs);
      this.#expectedUs += WEIGHT * (costUs - this.#expectedUs);
    }
    this.#lastMs = nowMs;
  }

  /** Nothing waits: the time until the next job is handed on says nothing. */
  rest(): void {
    this.#lastMs = 0;
  }
}

/** Weight of the newest observation; answers come in bunches, so a single one says little. */
const WEIGHT = 0.02;

/** A signer that hangs or restarts must not make all later waits look endless, for then nothing would wait and nothing be learnt. */
const FACTOR_MAX = 8;
