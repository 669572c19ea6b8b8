/** The middle of the values; the mean of the two middle ones when they are even in number. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

/** Of ascending values, the nearest to a quantile; 0 for none. As native/samples.c has it. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  return sorted[Math.floor(q * (sorted.length - 1) + 0.5)] ?? 0;
}

const POINTS_PER_DECADE = 4;

/** Latency against 1/(1-q), as far as one value lies beyond it. */
export function curveOf(sorted: ArrayLike<number>): [number, number][] {
  const curve: [number, number][] = [];
  for (let point = 0; ; point += 1) {
    const beyond = 10 ** (point / POINTS_PER_DECADE);
    if (beyond > sorted.length) return curve;
    curve.push([beyond, quantile(sorted, 1 - 1 / beyond)]);
  }
}
