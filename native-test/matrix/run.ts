/**
 * The tests of all programs. TAP on stdout.
 *
 *     run.ts quick            what is in `make test`
 *     run.ts long             what is in `make test-long`
 *     run.ts --write          all cells of the matrix, and then writes the tables of docs/programs.md and README.md
 *     run.ts quick|long WORD  only programs whose name has the word; or one of the parts: printed, lives, async
 */
import { cellsOf, KEY_KINDS, keysOf } from './cells.js';
import { tryHaproxyAsync } from './haproxy-async.js';
import { LIVES_KEYS, tryLives } from './lives.js';
import { checkPages, tryPrograms, writePages } from './matrix.js';
import { PRINTED_KEYS, tryPrinted } from './printed.js';
import { stopAll } from './processes.js';
import { PROGRAMS } from './programs.js';
import { Site } from './site.js';
import { anyFailed, end } from './tap.js';

const TURNS_QUICK = 3;
const TURNS_LONG = 100;

const [length = 'quick', word = ''] = process.argv.slice(2);
const writes = length === '--write';
const isQuick = length === 'quick';
const programs = PROGRAMS.filter(({ rows }) => rows.some(({ program }) => program.toLowerCase().includes(word)));

const rows = programs.flatMap((program) => program.rows);
const needed = new Set([...keysOf(cellsOf(rows, isQuick)), ...LIVES_KEYS, ...PRINTED_KEYS]);
const site = await Site.make(KEY_KINDS.filter((kind) => needed.has(kind)));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => leave().finally(() => process.exit(1)));
try {
  await site.startService();
  await tryPrograms(site, programs, isQuick);
  if (writes && !anyFailed()) writePages();
  if (word === '') checkPages(isQuick);
  await part('printed', () => tryPrinted(site));
  await part('lives', () => tryLives(site, isQuick ? TURNS_QUICK : TURNS_LONG));
  await part('async', () => tryHaproxyAsync(site));
} finally {
  await leave();
}
end();

async function leave(): Promise<void> {
  await stopAll();
  await site.remove();
}

async function part(name: string, work: () => Promise<void>): Promise<void> {
  if (writes || (word !== '' && word !== name)) return;
  const from = performance.now();
  await work();
  console.log(`# ${name}: ${((performance.now() - from) / 1000).toFixed(1)} s`);
}
