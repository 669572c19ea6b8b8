import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { ExperimentResult, RunResult } from '../measure.js';
import type { Figure, Sample } from '../measured.js';
import { median } from '../statistics.js';
import type { Gate } from './gates.js';

/** One line of gates.json: a figure of a run, or how it compares with the same figure of another run of the experiment. */
const gateWish = z.strictObject({
  goal: z.string(),
  what: z.string(),
  experiment: z.string(),
  run: z.string(),
  against: z.string().optional(),
  /** Named like the fields of Sample. */
  figure: z.string(),
  /** `ratio` and `difference` are taken in each turn, then their median; or that of the worst turn. */
  how: z.enum(['itself', 'ratio', 'difference']),
  of: z.enum(['median', 'worst']).optional(),
  unit: z.string(),
  must: z.enum(['at least', 'at most']),
  bound: z.number(),
  reason: z.string(),
});
export type GateWish = z.output<typeof gateWish>;

/** A gate needs as many pairs. */
export const PAIRS_MIN = 5;

/** Reads gates.json. Throws when it is none. */
export function readGates(file = join(import.meta.dirname, '../gates.json')): GateWish[] {
  return z.array(gateWish).parse(JSON.parse(readFileSync(file, 'utf8')));
}

/** A gate whose experiment failed, has no such run, or too few pairs, says so. */
export function evaluate(gates: readonly GateWish[], results: readonly ExperimentResult[]): (Gate & GateWish)[] {
  return gates.map((gate) => {
    try {
      return { ...gate, value: measuredOf(gate, results) };
    } catch (thrown) {
      return { ...gate, value: Number.NaN, problem: `not measured: ${(thrown as Error).message}` };
    }
  });
}

function measuredOf(gate: GateWish, results: readonly ExperimentResult[]): number {
  const result = results.find((candidate) => candidate.name === gate.experiment);
  if (!result) throw new Error(`${gate.experiment} gave no result`);
  const { name, runs } = result;
  const find = (wanted: string): RunResult => {
    const run = runs.find((candidate) => candidate.name === wanted);
    if (!run) throw new Error(`${name} has no run "${wanted}"; is all built and installed?`);
    return run;
  };
  const run = find(gate.run);
  const against = gate.how === 'itself' ? undefined : find(gate.against ?? '');
  if (run.samples.length < PAIRS_MIN)
    throw new Error(`${name} has ${run.samples.length} turns; a gate needs ${PAIRS_MIN}`);
  const values = run.samples.map((sample, turn) => compare(gate, sample, against?.samples[turn]));
  if (gate.of !== 'worst') return median(values);
  return gate.must === 'at most' ? Math.max(...values) : Math.min(...values);
}

function compare({ how, figure }: GateWish, sample: Sample, other: Sample | undefined): number {
  const value = figureOf(sample, figure);
  if (!other) return value;
  return how === 'ratio' ? value / figureOf(other, figure) : value - figureOf(other, figure);
}

function figureOf(sample: Sample, figure: string): number {
  const value = sample[figure as Figure];
  if (typeof value !== 'number') throw new Error(`no figure "${figure}" was measured`);
  return value;
}
