/**
 * `make test`, `make test-long` and `make soak`: runs the suites one after the other and counts. `run-tests.ts quick|long|soak [word,…]`;
 * for a soak the words are ids of goals. What the tests measure of their goals goes to build/reliability.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { recordGoal } from '../test/reliability/measured-goal.js';
import { runSuite } from './testing/run-suite.js';
import { longSuites, quickSuites, type Suite, soakSuites } from './testing/suites.js';

process.chdir(join(import.meta.dirname, '..'));
const [length = '', words = ''] = process.argv.slice(2);
const LENGTHS: Readonly<Record<string, () => Suite[]>> = { quick: quickSuites, long: longSuites, soak: soakSuites };
const suites = (LENGTHS[length] ?? quickSuites)().filter((suite) => isWanted(suite, words));
if (length === 'long' || length === 'soak') process.env.SIGNET_SOAK = '1';
process.env.SIGNET_GOAL_RESULTS ??= resolve('build/reliability');
const path = `${resolve('node_modules/.bin')}${delimiter}${process.env.PATH ?? ''}`;
const scratch = mkdtempSync(join(tmpdir(), 'signet-test-'));
const total = { passed: 0, failed: 0, skipped: 0 };
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    interrupted = true;
  });
}

try {
  for (const suite of suites) {
    if (interrupted) break;
    // The shell scripts put what they may share, such as a token with its keys, into the scratch folder.
    const { passed, failed, skipped } = await runSuite(suite, {
      ...process.env,
      PATH: path,
      SIGNET_TEST_SCRATCH: scratch,
    });
    if (suite.goal) recordSuite(suite.goal, suite, failed);
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (interrupted) total.failed += 1;
if (total.skipped > 0) console.log(`${total.skipped} skipped`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;

function isWanted(suite: Suite, list: string): boolean {
  const fits =
    length === 'soak' ? (word: string) => suite.name === `soak: ${word}` : (word: string) => suite.name.includes(word);
  return list === '' || list.split(',').some(fits);
}

/** The fuzzers and the memory checkers are programs of C: what they found is the number of their tests that failed. */
function recordSuite(id: NonNullable<Suite['goal']>, { name }: Suite, failed: number): void {
  recordGoal({ id, goal: `findings of ${name}`, measured: failed, unit: '', must: 'at most', bound: 0 });
}
