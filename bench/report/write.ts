import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pageOf, type Results } from './page.js';
import { plotsOf } from './plots.js';
import { svgOf } from './svg.js';

const ROOT = join(import.meta.dirname, '../..');

/** Writes the results as JSON, the plots as SVG and the page that shows them. Says where. */
export async function writeReport(
  results: Results,
  folder = join(ROOT, 'bench/results'),
  page = join(ROOT, 'docs/benchmarks.md'),
) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'results.json'), jsonOf(results));
  const plots = plotsOf(results.experiments);
  for (const plot of plots) writeFileSync(join(folder, `${plot.name}.svg`), await svgOf(plot));
  writeFileSync(page, pageOf(results, plots, relative(join(page, '..'), folder)));
  console.log(`\nwritten: ${relative('.', page)} and ${relative('.', folder)}`);
}

/** A line for each experiment, run and gate, so that versions can be compared. */
function jsonOf(results: Results): string {
  return `${JSON.stringify(results, rounded).replace(/\{"(name|goal)":/g, '\n$&')}\n`;
}

/** Nobody measures more than this. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(6)) : value;
}
