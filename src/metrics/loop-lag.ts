import { Buckets } from './buckets.js';

/** How often the event loop is asked, in milliseconds. */
const SAMPLE_MS = 100;
const MICROSECONDS = 1_000;

/** Counts how late the event loop comes to a timer. */
export class LoopLag {
  readonly buckets = new Buckets();
  readonly #timer: NodeJS.Timeout;
  #lastMs = performance.now();

  constructor() {
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    const nowMs = performance.now();
    this.buckets.observe(Math.max(0, nowMs - this.#lastMs - SAMPLE_MS) * MICROSECONDS);
    this.#lastMs = nowMs;
  }
}
