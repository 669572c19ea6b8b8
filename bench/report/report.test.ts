import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { ExperimentResult } from '../measure.js';
import type { Sample } from '../measured.js';
import { pageOf, type Results } from './page.js';
import { plotsOf } from './plots.js';
import { svgOf } from './svg.js';
import { writeReport } from './write.js';

const CURVE = [
  [1, 10],
  [10, 20],
] as const;

function sample(per_second: number): Sample {
  return { per_second, p50_us: 120, front_us: 20, curve: CURVE } as unknown as Sample;
}

const EXPERIMENTS: ExperimentResult[] = [
  {
    name: 'in-flight',
    question: 'How does it grow?',
    runs: [
      { name: 'C loop', line: 'C loop', samples: [sample(9000)] },
      { name: 'socket, 1', line: 'socket', x: 1, samples: [sample(100), sample(300), sample(200)] },
      { name: 'socket, 64', line: 'socket', x: 64, samples: [sample(4000)] },
    ],
  },
  { name: 'open-loop', question: 'How long?', runs: [{ name: 's', line: 'socket', samples: [sample(1), sample(2)] }] },
];
const GATE = { what: 'of the floor', value: 0.5, unit: '', must: 'at least', bound: 0.9, reason: 'because' } as const;
const RESULTS: Results = {
  length: 'quick',
  machine: { machine: '2 x Abacus', commit: 'abc' },
  busy: true,
  experiments: EXPERIMENTS,
  gates: [GATE],
};

t.test('a plot has the median of each place, and a level where a run has none', (t) => {
  const [inFlight, latency] = plotsOf(EXPERIMENTS);
  t.same(inFlight?.points, [
    { line: 'C loop', x: 1, y: 9000 },
    { line: 'C loop', x: 64, y: 9000 },
    { line: 'socket', x: 1, y: 200 },
    { line: 'socket', x: 64, y: 4000 },
  ]);
  t.same(latency?.points, [
    { line: 'socket', x: 1, y: 10 },
    { line: 'socket', x: 10, y: 20 },
  ]);
  t.same(plotsOf([]), [], 'what was not measured is not drawn');
  t.end();
});

t.test('a plot becomes SVG with its titles and a path for each line', async (t) => {
  const [plot] = plotsOf(EXPERIMENTS);
  const svg = plot ? await svgOf(plot) : '';
  t.match(svg, /^<svg[^>]* xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  for (const text of ['Throughput against requests in flight', 'in flight', 'signatures/s', 'C loop', 'socket'])
    t.ok(svg.includes(text), text);
  t.equal(svg.match(/aria-roledescription="line mark"/g)?.length, 2);
});

t.test('the page names the machine, the gates that were missed, and every run', (t) => {
  const page = pageOf(RESULTS, plotsOf(EXPERIMENTS), '../bench/results');
  t.match(page, /\| machine \| 2 x Abacus \|/);
  t.match(page, /1 of 1 are missed/);
  t.match(page, /busy with other things/);
  t.match(page, /\| of the floor \| 0\.500 \| at least 0\.900 \| \*\*missed by 0\.400\*\* \| because \|/);
  t.match(page, /!\[Throughput[^\]]*\]\(\.\.\/bench\/results\/in-flight\.svg\)/);
  t.match(page, /### How does it grow\?/);
  t.match(page, /\| socket, 1 \| 200 \| 120 \| 20 \|/);
  t.end();
});

t.test('all is written: results, plots, page', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'signet-report-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  await writeReport(RESULTS, join(folder, 'results'), join(folder, 'page.md'));
  t.same(readdirSync(join(folder, 'results')).sort(), ['in-flight.svg', 'latency.svg', 'results.json']);
  t.match(readFileSync(join(folder, 'page.md'), 'utf8'), /\(results\/latency\.svg\)/);
  t.match(JSON.parse(readFileSync(join(folder, 'results/results.json'), 'utf8')), { machine: { commit: 'abc' } });
});
