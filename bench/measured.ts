/** One run of a load: what the programs of floor/ and path/ print. */
export interface Measured {
  readonly count: number;
  readonly seconds: number;
  /** Signatures. */
  readonly per_second: number;
  readonly p50_us: number;
  readonly p90_us: number;
  readonly p99_us: number;
  readonly p999_us: number;
  /** CPU time of the load's own process for each signature. */
  readonly cpu_us: number;
}

/** The middle of the values; the mean of the two middle ones when they are even in number. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}
