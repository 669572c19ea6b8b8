import { BUCKETS_US } from './metric-names.js';

const MICROSECONDS = 1e6;

/** Durations counted by size. To observe one costs some ten nanoseconds; the sums that Prometheus wants are made when it asks. */
export class Buckets {
  readonly #counts = new Float64Array(BUCKETS_US.length + 1);
  #sumUs = 0;

  observe(us: number): void {
    let i = 0;
    while (i < BUCKETS_US.length && us > (BUCKETS_US[i] as number)) i++;
    (this.#counts[i] as number)++;
    this.#sumUs += us;
  }

  /** Each bound in seconds with how many were not longer; the last bound is `+Inf`. */
  cumulative(): { le: string; count: number }[] {
    let count = 0;
    return Array.from(this.#counts, (more, i) => {
      count += more;
      const bound = BUCKETS_US[i];
      return { le: bound === undefined ? '+Inf' : String(bound / MICROSECONDS), count };
    });
  }

  get sumSeconds(): number {
    return this.#sumUs / MICROSECONDS;
  }
}
