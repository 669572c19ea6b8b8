import t from 'tap';
import { LoadRun, type Outcome } from './load-run.js';

const WISH = { seconds: 0.4, warmupSeconds: 0.05 };
const STALL_MS = 150;

/** Answers at once, but for one stall: what is asked meanwhile is answered at its end. */
function stallingService() {
  const begun = performance.now();
  const [from, to] = [begun + 150, begun + 150 + STALL_MS];
  return (_n: number, ended: (outcome: Outcome) => void) => {
    const now = performance.now();
    if (now > from && now < to) setTimeout(() => ended('signed'), to - now);
    else setImmediate(() => ended('signed'));
  };
}

t.test('an open loop shows a stall in every request that was due meanwhile', async (t) => {
  const measured = await new LoadRun({ ...WISH, rate: 1000 }, () => undefined).make(stallingService());
  // 150 of 400 ms: in a closed loop with one in flight only a single request would have seen it.
  t.ok(measured.p90_us > 30_000, `p90 ${measured.p90_us}`);
  t.ok(measured.count > 350 && measured.count <= 401, `${measured.count} requests in 0.4 s of 1,000 a second`);
  t.equal(measured.failed, 0);
});

t.test('a service that blocks the process itself is not let off either', async (t) => {
  const run = new LoadRun({ ...WISH, rate: 1000 }, () => undefined);
  const measured = await run.make((n, ended) => {
    // Nothing can be sent meanwhile, but it is due.
    for (const until = performance.now() + STALL_MS; n === 200 && performance.now() < until; );
    setImmediate(() => ended('signed'));
  });
  t.ok(measured.count > 350, `${measured.count} requests`);
  t.ok(measured.p90_us > 30_000, `p90 ${measured.p90_us}`);
});

t.test('a closed loop has so many under way and no more', async (t) => {
  let open = 0;
  let most = 0;
  const measured = await new LoadRun({ ...WISH, inFlight: 3 }, () => undefined).make((_n, ended) => {
    open += 1;
    most = Math.max(most, open);
    setImmediate(() => {
      open -= 1;
      ended('signed');
    });
  });
  t.equal(most, 3);
  t.ok(measured.per_second > 100);
});

t.test(
  'what is refused and what fails is counted apart, and told when the measured part begins and ends',
  async (t) => {
    const told: string[] = [];
    const outcomes: Outcome[] = ['signed', 'refused', 'failed'];
    const run = new LoadRun({ ...WISH, rate: 300 }, ({ news }) => told.push(news));
    const measured = await run.make((n, ended) => setImmediate(() => ended(outcomes[n % 3] as Outcome)));
    t.same(told, ['begin', 'end']);
    for (const count of [measured.count, measured.refused ?? 0, measured.failed ?? 0])
      t.ok(count >= 38 && count <= 42, `${count} of 120`);
  },
);

t.test('what is never answered has failed', async (t) => {
  const measured = await new LoadRun({ ...WISH, inFlight: 2, patienceMs: 200 }, () => undefined).make(() => undefined);
  t.equal(measured.failed, 2);
  t.equal(measured.count, 0);
});
