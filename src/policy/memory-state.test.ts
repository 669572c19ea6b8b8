import { hash } from 'node:crypto';
import t from 'tap';
import { limitsWith } from '../../test/fixtures/limits.js';
import { MemoryState } from './memory-state.js';

const ENTRIES = 1_024;
const WINDOW_MS = 1_000;
const sha256 = (i: number) => hash('sha256', `${i}`);

function stateAt(limits = {}) {
  const clock = { ms: 0 };
  const changeable = limitsWith({ duplicate_entries_max: ENTRIES, duplicate_window_ms: WINDOW_MS, ...limits });
  const state = new MemoryState(changeable, () => clock.ms);
  let attempts = 0;
  const isDuplicate = (i: number) => {
    const attemptId = (++attempts).toString(16).padStart(16, '0').padEnd(32, '0');
    return state.isDuplicate({ messageSha256: sha256(i), spkiSha256: sha256(-1), scheme: 1, attemptId });
  };
  return { state, clock, isDuplicate, limits: changeable };
}

t.test('a message is remembered for the window, exactly', async (t) => {
  const { clock, isDuplicate } = stateAt();
  t.equal(isDuplicate(1), false);
  clock.ms = WINDOW_MS - 1;
  t.equal(isDuplicate(1), true);
  clock.ms = WINDOW_MS;
  t.equal(isDuplicate(1), false, 'and again from then on');
  clock.ms = 2 * WINDOW_MS - 1;
  t.equal(isDuplicate(1), true);
});

t.test('the newest quarter of what may be remembered is, and never more than all', async (t) => {
  const { clock, isDuplicate: ask } = stateAt();
  const isDuplicate = (i: number) => {
    clock.ms += 0.001;
    return ask(i);
  };
  const last = 10 * ENTRIES - 1;
  for (let i = 0; i <= last; i++) if (isDuplicate(i)) t.fail(`${i} is new`);
  for (let i = last; i > last - ENTRIES / 4; i--) if (!isDuplicate(i)) t.fail(`${i} is forgotten`);
  // Looking remembers what is not there, in the place of the oldest.
  const remembered = Array.from({ length: last + 1 }, (_, i) => isDuplicate(last - i)).filter(Boolean).length;
  t.ok(remembered > ENTRIES / 2 && remembered <= ENTRIES, `${remembered} are remembered`);
});

t.test('the window may change while it runs', async (t) => {
  const { clock, isDuplicate, limits } = stateAt();
  isDuplicate(1);
  clock.ms = WINDOW_MS;
  Object.assign(limits, { duplicate_window_ms: 10 * WINDOW_MS });
  t.equal(isDuplicate(1), true);
});

t.test('a quota is one for its name, and forgotten when it is not kept', async (t) => {
  const { state, clock } = stateAt();
  t.equal(state.quota('a', 1, 1).take(), 0);
  t.equal(state.quota('a', 1, 1).take(), 1_000);
  t.equal(state.quota('b', 1, 1).take(), 0);
  state.keepQuotas(new Set(['b']));
  t.equal(state.quota('a', 1, 1).take(), 0);
  t.equal(state.quota('b', 1, 1).take(), 1_000);
  clock.ms = 400;
  t.equal(state.quota('b', 1, 1).take(), 600);
});
