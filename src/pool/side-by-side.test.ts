import t, { type Test } from 'tap';
import { createFaultyToken, type FaultyToken } from '../../test/fixtures/faulty-token.js';
import { keepSigning, putBack, startPool } from '../../test/fixtures/pool.js';
import { newJob } from '../../test/fixtures/sign-job.js';
import { until } from '../../test/fixtures/until.js';
import { type Algorithm, algorithmNamed } from '../algorithms.js';
import { verifies } from '../signer/verify.js';

const SESSIONS = 8;
const TOKEN_MS = 50;
const P256 = algorithmNamed('ecdsa_secp256r1_sha256') as Algorithm;
/** Far more than it takes, also on a busy machine. */
const COMES_MS_MAX = 60_000;

t.test(
  'a signer of several sessions signs in all of them side by side, each signature of its own message',
  async (t) => {
    const token = faultyToken(t);
    const { pool, key } = await startPool(t, [token.tokenConfig({ sessions: SESSIONS, verify: 'always' })]);
    t.equal(pool.readySessions(['test']), SESSIONS);
    token.order({ latencyUs: TOKEN_MS * 1000 });
    const submit = putBack(pool);
    const jobs = Array.from({ length: 4 * SESSIONS }, (_, n) => ({
      ...newJob(key, P256, Buffer.from(`message ${n}`)),
      n,
    }));
    const begunMs = performance.now();
    for (const { job } of jobs) submit(job);
    t.equal(pool.signers()[0]?.inFlight, 2 * SESSIONS, 'as many wait at the signer as it works on');
    for (const { outcome, n } of jobs) {
      const how = await outcome;
      t.ok(
        how.ok && verifies(key.key, P256, Buffer.from(`message ${n}`), false, Buffer.from(how.signature)),
        `job ${n}`,
      );
    }
    const tookMs = performance.now() - begunMs;
    t.ok(
      tookMs < (jobs.length * TOKEN_MS) / 2,
      `${jobs.length} signatures of ${TOKEN_MS} ms took ${Math.round(tookMs)} ms`,
    );
  },
);

t.test('a signer of several sessions that loses them all climbs again, and no job fails', async (t) => {
  const token = faultyToken(t);
  const tokens = [token.tokenConfig({ sessions: SESSIONS })];
  const { pool, key } = await startPool(t, tokens);
  const load = keepSigning(t, pool, key, P256, 2 * SESSIONS);
  for (const rv of ['CKR_SESSION_HANDLE_INVALID', 'CKR_USER_NOT_LOGGED_IN'] as const) {
    await more(token, 100);
    token.order({ revoke: rv });
    await more(token, 100);
  }
  const { signed, failed } = await load.stop();
  t.same(failed, []);
  t.ok(signed > 200, `${signed} signatures`);
  t.equal(pool.signers()[0]?.restarts, 0, 'the same process');
});

t.test('one session that hangs is seen while the others go on, and costs its signer', async (t) => {
  const token = faultyToken(t);
  const config = token.tokenConfig({ sessions: SESSIONS, signers: 2, sign_hang_ms: 1_000 });
  const { pool, key } = await startPool(t, [config], 2);
  const load = keepSigning(t, pool, key, P256, SESSIONS);
  await more(token, 50);
  token.order({ hang: 'C_Sign', times: 1 });
  await until(() => pool.signers().some(({ restarts, state }) => restarts === 1 && state === 'ready'), COMES_MS_MAX);
  await more(token, 50);
  const { failed } = await load.stop();
  t.same(failed, []);
});

function faultyToken(t: Test): FaultyToken {
  const token = createFaultyToken({ keys: [{ label: 'p256', type: 'p256' }] });
  t.teardown(() => token.remove());
  return token;
}

/** Waits until so many more signatures have reached the token. */
async function more(token: FaultyToken, count: number): Promise<void> {
  const goal = token.counters('C_Sign').reached + count;
  await until(() => token.counters('C_Sign').reached >= goal, COMES_MS_MAX);
}
