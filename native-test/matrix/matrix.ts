/**
 * The matrix: program × way of naming the key × kind of key × version of TLS, each cell a real process and a verified handshake or signature, for
 * which the service's audit file must have a new signature.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Cell, cellName, cellsOf, type Program } from './cells.js';
import { stopAll } from './processes.js';
import { ROWS, UNTESTED } from './programs.js';
import type { Site } from './site.js';
import { allPassed, fullTable, outcomeName, shortTable, withTable } from './table.js';
import { report } from './tap.js';

const PAGES = [
  { file: '../../docs/programs.md', table: fullTable },
  { file: '../../README.md', table: shortTable },
] as const;

const outcomes = new Map<string, boolean>();

/** Tries the cells of the programs, those for `make test` or all. */
export async function tryPrograms(site: Site, programs: readonly Program[], isQuick: boolean): Promise<void> {
  const cells = cellsOf(
    programs.flatMap(({ rows }) => rows),
    isQuick,
  );
  for (const program of programs) await tryProgram(program, site, cells);
}

async function tryProgram(program: Program, site: Site, cells: readonly Cell[]): Promise<void> {
  const own = cells.filter(({ row }) => program.rows.includes(row));
  if (own.length === 0) return;
  const from = performance.now();
  try {
    await program.run(site, own, attempt);
  } catch (error) {
    for (const cell of own) if (!outcomes.has(outcomeName(cell))) result(cell, error);
  }
  // What it left running, if it threw.
  await stopAll(site.service);
  console.log(`# ${own[0]?.row.program}: ${((performance.now() - from) / 1000).toFixed(1)} s`);
}

async function attempt(cell: Cell, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    result(cell);
  } catch (error) {
    result(cell, error);
  }
}

function result(cell: Cell, error?: unknown): void {
  outcomes.set(outcomeName(cell), error === undefined);
  report(cellName(cell), error);
}

/** Writes the tables of this run into the pages. */
export function writePages(): void {
  for (const { file, table } of PAGES) {
    const path = fileURLToPath(new URL(file, import.meta.url));
    writeFileSync(path, withTable(readFileSync(path, 'utf8'), table(ROWS, UNTESTED, outcomes)));
  }
}

/**
 * Whether the committed tables are those that this run would write. The quick cells alone prove no whole table, but that the committed ones have every cell
 * and no other, as if all had passed.
 */
export function checkPages(isQuick: boolean): void {
  const made = isQuick ? allPassed(ROWS) : outcomes;
  for (const { file, table } of PAGES) {
    const page = readFileSync(new URL(file, import.meta.url), 'utf8');
    const same = withTable(page, table(ROWS, UNTESTED, made)) === page;
    const error = same ? undefined : new Error('it is stale: node --import=tsx native-test/matrix/run.ts --write');
    report(`the table of ${file.replace('../../', '')} is that of this run`, error);
  }
}
