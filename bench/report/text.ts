import type { ExperimentResult } from '../measure.js';
import type { Figure } from '../measured.js';
import { medianOf } from './plots.js';
import { table } from './table.js';

/** What a terminal shows of an experiment: the medians over its turns. */
export function textOf({ name, question, runs }: ExperimentResult): string {
  const columns = COLUMNS.filter(([figure]) => runs.some(({ samples }) => medianOf(samples, figure) > 0));
  const rows = runs.map((run) => [run.name, ...columns.map(([figure]) => shown(medianOf(run.samples, figure)))]);
  return `${question}\n${table([[name, ...columns.map(([, heading]) => heading)], ...rows])}`;
}

/** The heading of a figure's column; those that no run of an experiment has are left out. */
export const COLUMNS: readonly (readonly [Figure, string])[] = [
  ['per_second', '1/s'],
  ['p50_us', 'p50'],
  ['p90_us', 'p90'],
  ['p99_us', 'p99'],
  ['p999_us', 'p99.9'],
  ['refused_per_second', 'refused/s'],
  ['refused_p99_us', 'refused p99'],
  ['failed', 'failed'],
  ['cpu_us', 'load'],
  ['front_us', 'front'],
  ['signer_us', 'signers'],
  ['worker_us', 'worker'],
  ['blocked_us', 'blocked'],
  ['page_us', 'plain page'],
  ['page_p99_us', 'its p99'],
  ['page_max_us', 'its slowest'],
  ['page_late_us', 'its load late'],
  ['front_mb', 'front MB'],
  ['signer_mb', 'signer MB'],
  ['worker_mb', 'worker MB'],
];

export function shown(value: number): string {
  if (Number.isNaN(value)) return '';
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}
