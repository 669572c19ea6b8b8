import t from 'tap';
import { createFaultyToken, type Order } from './fixtures/faulty-token.js';
import { recordLoad } from './fixtures/recorded-load.js';
import { startService } from './fixtures/running-service.js';
import { endedSigners, watchSigners } from './fixtures/signer-status.js';
import { until } from './fixtures/until.js';
import { recordGoal } from './reliability/measured-goal.js';
import { times } from './reliability/soak.js';

const SIGNERS = 2;
const CALLERS = 4;
const TIMEOUT_MS = 5_000;
const TOKEN_US = 2_000;
/** The goal counts from then on. */
const WHOLE_MS = 1_000;
/** Asked from then on, each time. */
const ASKED = 300;
const OK_SHARE = 0.999;

/** What tokens answer to sessions from before their restart. */
const RESTARTS: Order[] = [
  { revoke: 'CKR_SESSION_HANDLE_INVALID' },
  { revoke: 'CKR_USER_NOT_LOGGED_IN' },
  { revoke: 'CKR_SESSION_HANDLE_INVALID', permute: true },
  { revoke: 'CKR_DEVICE_REMOVED' },
  { revoke: 'CKR_SESSION_CLOSED' },
];

t.test('goal F1: a token that restarts invalidates all sessions at once, and the same signers sign on', async (t) => {
  const token = createFaultyToken({
    keys: [
      { label: 'p256', type: 'p256' },
      { label: 'other', type: 'p256' },
    ],
  });
  t.teardown(() => token.remove());
  const service = await startService(t, token, { signers: SIGNERS, verify: 'always' });
  const signers = watchSigners(t, service);
  await signers.whole(SIGNERS);
  token.order({ latencyUs: TOKEN_US });
  const load = await recordLoad(t, service, { callers: CALLERS, timeoutMs: TIMEOUT_MS });
  await load.more(CALLERS);

  let [restarts, asked, signed, lost] = [0, 0, 0, 0];
  for (const n of times(RESTARTS.length)) {
    const restart = RESTARTS[n % RESTARTS.length] as Order;
    const logins = token.counters('C_Login').reached;
    const beganMs = performance.now();
    token.order(restart);
    await until(() => performance.now() >= beganMs + WHOLE_MS);
    const wholeMs = performance.now();
    await load.more(ASKED);
    const after = load.asked(wholeMs);
    const ok = after.filter(({ signature }) => signature).length;
    t.ok(ok >= OK_SHARE * after.length, `${JSON.stringify(restart)}: ${ok} of ${after.length} signed afterwards`);
    const failed = load.asked(beganMs, wholeMs).flatMap(({ error }) => error ?? []);
    t.ok(
      failed.every((error) => /UNAVAILABLE/.test(error)),
      `meanwhile ${failed.length} unavailable`,
    );
    t.equal(token.counters('C_Login').reached - logins, SIGNERS, 'one login for each signer');
    [restarts, asked, signed, lost] = [restarts + 1, asked + after.length, signed + ok, lost + failed.length];
    load.forget();
  }
  await load.stop();
  t.same(endedSigners(service), [], 'no signer was replaced');
  t.same(
    (await signers.all()).map(({ recoveries }) => recoveries),
    Array(SIGNERS).fill(restarts),
  );
  t.notOk(service.log.some(({ msg }) => msg === 'token is out of use'));
  recordGoal({
    id: 'F1',
    goal: 'signed of those asked from 1 s after',
    measured: (100 * signed) / asked,
    unit: '%',
    must: 'at least',
    bound: 100 * OK_SHARE,
    of: `${restarts} restarts; ${lost} unavailable in the second before`,
  });
});
