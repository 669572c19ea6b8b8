import { test } from 'tap';
import { restartDelayMs } from './restart-delay.js';

test('the first death is made good at once, a series of deaths waits longer and longer, up to 10 s', async (t) => {
  t.same([1, 2, 3, 4, 8, 9, 100].map(restartDelayMs), [0, 100, 200, 400, 6400, 10_000, 10_000]);
});
