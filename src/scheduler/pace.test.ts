import t from 'tap';
import { Pace } from './pace.js';

/** So many jobs of 2 ms, one handed on each so many milliseconds. */
function hand(pace: Pace, jobs: number, everyMs: number, sessions = 1, fromMs = 1): number {
  for (let n = 0; n < jobs; n++) pace.handed(2_000, sessions, fromMs + n * everyMs);
  return fromMs + jobs * everyMs;
}

t.test('the pace is that of the jobs that are handed on, shared by the sessions', async (t) => {
  const pace = new Pace();
  t.equal(pace.factor, 1, 'nothing is known yet');
  hand(pace, 500, 3);
  t.ok(Math.abs(pace.factor - 1.5) < 0.01, `${pace.factor}`);
  const two = new Pace();
  hand(two, 500, 1.25, 2);
  t.ok(Math.abs(two.factor - 1.25) < 0.01, `${two.factor}`);
});

t.test('a time in which nothing waited says nothing, and one that stood still not all', async (t) => {
  const pace = new Pace();
  const endMs = hand(pace, 500, 2);
  pace.rest();
  pace.handed(2_000, 1, endMs + 60_000);
  t.ok(pace.factor < 1.01, `after a rest: ${pace.factor}`);
  pace.handed(2_000, 1, endMs + 120_000);
  t.ok(pace.factor < 1.2, `after a minute in which the token stood still: ${pace.factor}`);
  hand(pace, 500, 2, 1, endMs + 120_002);
  t.ok(pace.factor < 1.01, `and it is forgotten: ${pace.factor}`);
});
