import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { GOALS } from '../../test/reliability/goals.js';
import type { RecordedFigure } from '../../test/reliability/measured-goal.js';
import { merged, reliabilityPage } from './report.js';

const FIGURE: RecordedFigure = {
  id: 'F8',
  goal: 'failover',
  measured: 120,
  unit: 'ms',
  must: 'at most',
  bound: 1_000,
  form: 'short',
  machine: '2 x CPU',
  commit: 'abc',
  when: '2026-01-02T03:04:05.000Z',
  load: 0.25,
};

t.test('a goal that was not measured is told as such, and one that is missed too', async (t) => {
  const page = reliabilityPage([FIGURE, { ...FIGURE, id: 'L4', measured: 1_001 }]);
  t.match(page, '| failover: **120 ms** | holds: at most 1,000 ms | short | 0.3 | 2026-01-02 03:04 | abc |');
  t.match(page, '| failover: **1,001 ms** | **does not hold: at most 1,000 ms** |');
  t.match(page, /\*\*L1\*\* .* \| not measured \|/);
  t.match(page, `Of ${Object.keys(GOALS).length} goals 2 were measured and 1 hold.`);
});

t.test('of the same figure the soak is shown, and none of another', async (t) => {
  const page = reliabilityPage([
    FIGURE,
    { ...FIGURE, form: 'soak', measured: 7 },
    { ...FIGURE, goal: 'failed', unit: '%' },
  ]);
  t.match(page, '**7 ms**');
  t.notMatch(page, '**120 ms**');
  t.match(page, 'failed: **120%**');
});

t.test('a later figure takes the place of an earlier one of its form', async (t) => {
  const later = { ...FIGURE, measured: 7, when: '2026-01-03T00:00:00.000Z' };
  const soak = { ...FIGURE, form: 'soak' as const };
  t.same(merged([later, soak], [FIGURE]), [later, soak]);
});

t.test('the page in docs is made of the figures beside it', async (t) => {
  const read = (file: string) => readFileSync(join(import.meta.dirname, '../../docs', file), 'utf8');
  t.equal(read('reliability.md'), reliabilityPage(JSON.parse(read('reliability.json'))), 'run make reliability');
});
