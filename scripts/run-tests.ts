/** `make test` and `make test-long`: runs the suites one after the other and counts. `run-tests.ts quick|long [word,…]`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { runSuite } from './testing/run-suite.js';
import { longSuites, quickSuites, type Suite } from './testing/suites.js';

process.chdir(join(import.meta.dirname, '..'));
const [length, words = ''] = process.argv.slice(2);
const suites = (length === 'long' ? longSuites() : quickSuites()).filter((suite) => isWanted(suite, words));
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
  return list === '' || list.split(',').some((word) => suite.name.includes(word));
}
