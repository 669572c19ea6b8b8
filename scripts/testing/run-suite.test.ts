import t from 'tap';
import { runSuite } from './run-suite.js';

t.test('a process that a suite left behind, with its output open, is ended and not waited for', async (t) => {
  const started = performance.now();
  const command = ['bash', '-c', 'sleep 60 & exit 0'];
  const tally = await runSuite({ name: 'leaves a process behind', command, counts: 'tap', limitS: 50 }, process.env);
  t.same(tally, { passed: 1, failed: 0, skipped: 0 });
  t.ok(performance.now() - started < 40_000);
});
