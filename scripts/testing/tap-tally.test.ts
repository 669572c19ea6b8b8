import t from 'tap';
import { type Shown, TapTally } from './tap-tally.js';

function read(text: string): { shown: Shown[]; counted: TapTally['tally'] } {
  const shown: Shown[] = [];
  const tally = new TapTally((one) => shown.push(one));
  for (const line of text.split('\n')) tally.line(line);
  return { shown, counted: tally.tally };
}

t.test('of what cmocka writes, every line is a test; a skipped one has not failed', async (t) => {
  const { shown, counted } = read('1..3\nok 1 - signs\nnot ok 2 # SKIP forks\nnot ok 3 - verifies');
  t.same(counted, { passed: 1, failed: 1, skipped: 1 });
  t.same(shown, [
    { kind: 'passed', text: 'signs' },
    { kind: 'skipped', text: 'forks' },
    { kind: 'failed', text: 'verifies' },
  ]);
});

t.test('of what tap writes, the tests of a file count, not the file', async (t) => {
  const { counted } = read('# Subtest: a.test.ts\n    ok 1 - one\n    ok 2 - two # SKIP later\nok 1 - a.test.ts');
  t.same(counted, { passed: 1, failed: 0, skipped: 1 });
});

t.test('a file that fails though none of its tests did counts as one that failed', async (t) => {
  const { counted } = read('# Subtest: a.test.ts\n    ok 1 - one\nnot ok 1 - a.test.ts');
  t.same(counted, { passed: 1, failed: 1, skipped: 0 });
});
