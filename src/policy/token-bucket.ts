import type { Quota } from '../shared-state.js';

/** Fills at `ratePerS` up to `burst`; full at first. */
export class TokenBucket implements Quota {
  #ratePerMs: number;
  #burst: number;
  #left: number;
  #atMs: number;
  readonly #nowMs: () => number;

  constructor(ratePerS: number, burst: number, nowMs: () => number) {
    this.#ratePerMs = ratePerS / 1000;
    this.#burst = burst;
    this.#left = burst;
    this.#nowMs = nowMs;
    this.#atMs = nowMs();
  }

  take(): number {
    this.#fill();
    if (this.#left < 1) return Math.ceil((1 - this.#left) / this.#ratePerMs);
    this.#left -= 1;
    return 0;
  }

  /** What is left stays, so that a reload gives nobody a second burst. */
  change(ratePerS: number, burst: number): void {
    this.#fill();
    this.#ratePerMs = ratePerS / 1000;
    this.#burst = burst;
    this.#left = Math.min(this.#left, burst);
  }

  #fill(): void {
    const nowMs = this.#nowMs();
    this.#left = Math.min(this.#burst, this.#left + (nowMs - this.#atMs) * this.#ratePerMs);
    this.#atMs = nowMs;
  }
}
