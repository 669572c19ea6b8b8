import t, { type Test } from 'tap';
import { createFaultyToken, type FaultyToken } from '../../test/fixtures/faulty-token.js';
import { keepSigning, putBack, startPool } from '../../test/fixtures/pool.js';
import { newJob, type TestJob } from '../../test/fixtures/sign-job.js';
import { until } from '../../test/fixtures/until.js';
import { type Algorithm, algorithmNamed, algorithmsOf } from '../algorithms.js';
import { verifies } from '../signer/verify.js';

const SESSIONS = 8;
const TOKEN_MS = 200;
const MESSAGE = Buffer.from('a message');
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
      t.ok(how.ok && verifies(key.key, P256, Buffer.from(`message ${n}`), Buffer.from(how.signature)), `job ${n}`);
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

t.test('one session loses its key, another itself, and the signer climbs for both', async (t) => {
  const token = faultyToken(t);
  const { pool, key } = await startPool(t, [token.tokenConfig({ sessions: 3 })]);
  const submit = putBack(pool);
  const [long, ...others] = [1, 2, 3].map(() => newJob(key, P256, MESSAGE)) as [TestJob, TestJob, TestJob];
  token.order({ latencyUs: 3_000_000 });
  submit(long.job);
  await until(() => token.counters('C_Sign').calls === 1, COMES_MS_MAX);
  // Nothing is brought back while one session signs.
  token.order({ fail: 'C_SignInit', rv: 'CKR_KEY_HANDLE_INVALID', times: 1 });
  token.order({ fail: 'C_Sign', rv: 'CKR_SESSION_HANDLE_INVALID', times: 1 });
  for (const { job } of others) submit(job);
  const failed = () => [token.counters('C_SignInit').failed, token.counters('C_Sign').failed].join();
  await until(() => failed() === '1,1', COMES_MS_MAX);
  token.order({ latencyUs: 0 });
  for (const { outcome } of [long, ...others]) t.match(await outcome, { ok: true });
  t.match(pool.signers()[0], { state: 'ready', restarts: 0 });
});

t.test('every algorithm is made side by side as it is alone', async (t) => {
  const keys = (['p256', 'p384', 'p521', 'rsa2048', 'ed25519'] as const).map((type) => ({ label: type, type }));
  const token = createFaultyToken({ keys });
  t.teardown(() => token.remove());
  const { pool, keys: served } = await startPool(t, [token.tokenConfig({ sessions: SESSIONS, verify: 'always' })]);
  const submit = putBack(pool);
  const jobs = served.flatMap((key) =>
    algorithmsOf(key.key).map((algorithm) => ({ key, algorithm, ...newJob(key, algorithm, MESSAGE) })),
  );
  for (const { job } of jobs) submit(job);
  for (const { key, algorithm, outcome } of jobs) {
    const how = await outcome;
    t.ok(how.ok && verifies(key.key, algorithm, MESSAGE, Buffer.from(how.signature)), algorithm.name);
  }
  t.equal(token.counters('C_SignInit').calls, jobs.length);
  t.equal(token.counters('C_Sign').calls, jobs.length);
});

t.test('a job whose caller has stopped waiting before a session is free is not made', async (t) => {
  const token = faultyToken(t);
  const { pool, key } = await startPool(t, [token.tokenConfig({ sessions: 2 })]);
  token.order({ latencyUs: 300_000 });
  const submit = putBack(pool);
  const [one, two, late] = [60_000, 60_000, 100].map((timeoutMs) => newJob(key, P256, MESSAGE, { timeoutMs }));
  for (const made of [one, two, late]) if (made) submit(made.job);
  t.match(await late?.outcome, { ok: false, error: { code: 'deadline_exceeded' } });
  t.match([await one?.outcome, await two?.outcome], [{ ok: true }, { ok: true }]);
  t.equal(token.counters('C_SignInit').calls, 2);
});

t.test('a token that is busy is asked again, and an operation that was left active is ended first', async (t) => {
  const token = faultyToken(t);
  const { pool, key } = await startPool(t, [token.tokenConfig({ sessions: 2 })]);
  const submit = putBack(pool);
  for (const [fail, rv] of [
    ['C_Sign', 'CKR_FUNCTION_FAILED'],
    ['C_SignInit', 'CKR_OPERATION_ACTIVE'],
  ] as const) {
    token.order({ fail, rv, times: 2 });
    const { job, outcome } = newJob(key, P256, MESSAGE);
    submit(job);
    t.match(await outcome, { ok: true }, rv);
    t.equal(token.counters(fail).failed, 2, rv);
  }
  t.equal(token.counters('C_SignFinal').calls, 2);
});

t.test('one session that hangs is seen while the others go on, and costs its signer', async (t) => {
  const token = faultyToken(t);
  const config = token.tokenConfig({ sessions: SESSIONS, signers: 2, sign_hang_ms: 3_000 });
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
