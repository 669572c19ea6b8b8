import t from 'tap';
import { experiments } from '../experiments.js';
import type { ExperimentResult } from '../measure.js';
import type { Sample } from '../measured.js';
import { evaluate, type GateWish, PAIRS_MIN, readGates } from './gate-list.js';
import { isMet, sentence } from './gates.js';

const GATE: GateWish = {
  goal: 'throughput',
  what: 'of the floor',
  experiment: 'e',
  run: 'ours',
  against: 'floor',
  figure: 'per_second',
  how: 'ratio',
  unit: '',
  must: 'at least',
  bound: 0.9,
  reason: 'because',
};

function result(ours: readonly number[], floor: readonly number[]): ExperimentResult {
  const run = (name: string, figures: readonly number[]) => ({
    name,
    samples: figures.map((per_second) => ({ per_second }) as Sample),
  });
  return { name: 'e', question: '?', runs: [run('ours', ours), run('floor', floor)] };
}

t.test('a ratio is the median of the turns, each against its own neighbour', (t) => {
  // The machine was half as fast in the last two turns: the ratio of the medians would be 1.6.
  const [gate] = evaluate([GATE], [result([80, 80, 80, 40, 40], [100, 100, 50, 50, 50])]);
  t.equal(gate?.value, 0.8);
  t.notOk(gate && isMet(gate));
  t.equal(gate && sentence(gate), 'MISSED  of the floor: 0.800, must be at least 0.900, missed by 0.100');
  t.end();
});

t.test('a difference, and a figure itself, with their unit', (t) => {
  const results = [result([30, 31, 32, 33, 34], [10, 10, 10, 10, 10])];
  const [difference] = evaluate([{ ...GATE, how: 'difference', must: 'at most', bound: 25, unit: ' us' }], results);
  t.equal(difference && sentence(difference), 'met     of the floor: 22.0 us, must be at most 25.0 us');
  const { against: _, ...alone } = GATE;
  const [itself] = evaluate([{ ...alone, how: 'itself', must: 'at most', bound: 31 }], results);
  t.equal(itself?.value, 32);
  t.notOk(itself && isMet(itself));
  t.end();
});

t.test('the worst of the turns, where none may be worse', (t) => {
  const results = [result([30, 31, 60, 33, 34], [10, 10, 30, 10, 10])];
  const worst = (change: Partial<GateWish>) => evaluate([{ ...GATE, of: 'worst', ...change }], results)[0]?.value;
  t.equal(worst({ how: 'difference', must: 'at most' }), 30, 'not the slowest of one turn less that of another');
  t.equal(worst({ how: 'difference', must: 'at least' }), 20);
  t.equal(worst({ how: 'ratio', must: 'at least' }), 2);
  t.end();
});

t.test('a gate that could not be measured is missed and says why', (t) => {
  const four = result([1, 1, 1, 1], [1, 1, 1, 1]);
  const five = result([1, 1, 1, 1, 1], [1, 1, 1, 1, 1]);
  const cases: [Partial<GateWish>, ExperimentResult, RegExp][] = [
    [{}, four, /^MISSED {2}of the floor: not measured: e has 4 turns; a gate needs 5$/],
    [{ run: 'theirs' }, five, /e has no run "theirs"/],
    [{ figure: 'beauty' }, five, /no figure "beauty"/],
    [{ experiment: 'another' }, five, /another gave no result/],
  ];
  for (const [change, measured, said] of cases) {
    const [gate] = evaluate([{ ...GATE, ...change }], [measured]);
    t.notOk(gate && isMet(gate));
    t.match(gate && sentence(gate), said);
  }
  t.end();
});

/** Takes longer than a quick run has time for. */
const FULL_ONLY = ['slow-token', 'plain-pages'];

t.test('every gate of gates.json names runs that are measured often enough', (t) => {
  for (const length of ['full', 'quick'] as const)
    for (const { what, experiment, run, against, how } of readGates()) {
      if (length === 'quick' && FULL_ONLY.includes(experiment)) continue;
      const measured = experiments(length).find(({ name }) => name === experiment);
      const runs = measured?.runs.map(({ name }) => name) ?? [];
      t.ok(runs.includes(run), `${length}, ${what}: ${run}`);
      if (how !== 'itself') t.ok(runs.includes(against ?? ''), `${length}, ${what}: ${against}`);
      t.ok((measured?.turns ?? 0) >= PAIRS_MIN, `${length}, ${what}: pairs`);
    }
  t.end();
});

t.test('no two experiments, and no two runs of one, have the same name', (t) => {
  const all = experiments('full');
  t.equal(new Set(all.map(({ name }) => name)).size, all.length);
  for (const { name, runs } of all) t.equal(new Set(runs.map((run) => run.name)).size, runs.length, name);
  t.end();
});
