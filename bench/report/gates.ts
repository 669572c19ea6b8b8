/** A figure that has to be reached, and why. */
export interface Gate {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** `at least` or `at most` the bound. */
  readonly must: 'at least' | 'at most';
  readonly bound: number;
}

export function isMet({ value, must, bound }: Gate): boolean {
  return must === 'at least' ? value >= bound : value <= bound;
}

/** One sentence, with how far it is off. */
export function sentence(gate: Gate): string {
  const { what, value, unit, must, bound } = gate;
  const figures = `${digits(value)}${unit}, must be ${must} ${digits(bound)}${unit}`;
  return `${isMet(gate) ? 'met   ' : 'MISSED'}  ${what}: ${figures}`;
}

function digits(value: number): string {
  return Math.abs(value) < 10 ? value.toFixed(3) : value.toFixed(1);
}
