import { test } from 'tap';
import { Breaker, FAILURES_IN_A_ROW, FAILURES_IN_WINDOW, WINDOW_MS } from './breaker.js';

test('goal F3: a breaker opens after at most 4 failures in a row', async (t) => {
  t.ok(FAILURES_IN_A_ROW <= 4);
  const { breaker } = at();
  for (let n = 1; n < FAILURES_IN_A_ROW; n++) t.notOk(breaker.failed('why'));
  t.equal(breaker.state, 'closed');
  t.ok(breaker.failed('CKR_DEVICE_ERROR'));
  t.match(breaker, { state: 'open', because: 'CKR_DEVICE_ERROR', openings: 1 });
});

test('goal F3: a breaker opens after 10 failures in 60 s, with signatures in between', async (t) => {
  t.same([FAILURES_IN_WINDOW, WINDOW_MS], [10, 60_000]);
  const { breaker, clock } = at();
  for (let n = 1; n <= FAILURES_IN_WINDOW; n++) {
    t.equal(breaker.failed('why'), n === FAILURES_IN_WINDOW, `failure ${n}`);
    breaker.succeeded();
    clock.ms += (WINDOW_MS - 1) / (FAILURES_IN_WINDOW - 1);
  }
  t.equal(breaker.state, 'open');
});

test('failures that are further apart than 10 in 60 s never open it, if signatures come between', async (t) => {
  const { breaker, clock } = at();
  for (let n = 0; n < 100; n++) {
    t.notOk(breaker.failed('why'));
    breaker.succeeded();
    clock.ms += WINDOW_MS / (FAILURES_IN_WINDOW - 1) + 1;
  }
});

test('an open breaker counts nothing and opens once, until it is closed and has forgotten all', async (t) => {
  const { breaker, clock } = at();
  t.ok(breaker.trip('no session'));
  clock.ms += 1_500;
  t.notOk(breaker.failed('again'));
  t.notOk(breaker.trip('again'));
  breaker.succeeded();
  t.match(breaker, { state: 'open', because: 'no session', openMs: 1_500, openings: 1 });
  breaker.close();
  t.match(breaker, { state: 'closed', because: '', openMs: 0, openings: 1 });
  for (let n = 1; n < FAILURES_IN_A_ROW; n++) t.notOk(breaker.failed('why'));
  t.ok(breaker.failed('why'));
  t.equal(breaker.openings, 2);
});

/** A breaker by a clock that the test moves. */
function at() {
  const clock = { ms: 1_000 };
  return { clock, breaker: new Breaker(() => clock.ms) };
}
