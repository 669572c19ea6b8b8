/** A figure that has to be reached. */
export interface Gate {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** `at least` or `at most` the bound. */
  readonly must: 'at least' | 'at most';
  readonly bound: number;
  /** Why it could not be measured; then the value is NaN, and the gate is missed. */
  readonly problem?: string;
}

export function isMet({ value, must, bound }: Gate): boolean {
  return must === 'at least' ? value >= bound : value <= bound;
}

/** One sentence, with how far it is off. */
export function sentence(gate: Gate): string {
  const { value, bound } = figuresOf(gate);
  if (gate.problem !== undefined) return `MISSED  ${gate.what}: ${gate.problem}`;
  const missed = isMet(gate) ? '' : `, missed by ${missedBy(gate)}`;
  return `${isMet(gate) ? 'met   ' : 'MISSED'}  ${gate.what}: ${value}, must be ${gate.must} ${bound}${missed}`;
}

export function figuresOf({ value, bound, unit }: Gate): { value: string; bound: string } {
  return { value: `${digits(value)}${unit}`, bound: `${digits(bound)}${unit}` };
}

/** Between what was measured and the bound. */
export function missedBy({ value, bound, unit }: Gate): string {
  return `${digits(Math.abs(value - bound))}${unit}`;
}

function digits(value: number): string {
  return Math.abs(value) < 10 ? value.toFixed(3) : value.toFixed(1);
}
