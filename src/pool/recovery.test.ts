import { writeFileSync } from 'node:fs';
import tap, { test } from 'tap';
import { createFaultyToken } from '../../test/fixtures/faulty-token.js';
import { newPool, putBack, startPool } from '../../test/fixtures/pool.js';
import { newJob } from '../../test/fixtures/sign-job.js';
import { until } from '../../test/fixtures/until.js';
import { algorithmNamed, algorithmsOf } from '../algorithms.js';
import type { ServedKey } from '../keys/served-key.js';
import type { Outcome } from '../sign-job.js';
import { verifies } from '../signer/verify.js';
import type { Pool } from './pool.js';

/** Signers are compiled as they start, which takes seconds on a busy machine. */
const SOON_MS_MAX = 30_000;
const MESSAGE = Buffer.from('a message');

/** One for all tests, each with signers of its own. */
const token = createFaultyToken({
  keys: [
    { label: 'p256', type: 'p256' },
    { label: 'other', type: 'p256' },
  ],
});
tap.teardown(() => token.remove());
tap.beforeEach(() => token.order({ clear: true }));

test('what a token takes away is brought back by the same signer, rung by rung', async (t) => {
  const { pool, key } = await startPool(t, [token.tokenConfig()]);
  const sign = signing(pool, key);
  const pid = pool.signers()[0]?.pid;
  for (const [what, fault, opened, loggedIn, found] of [
    ['a busy token is asked again', { fail: 'C_Sign', rv: 'CKR_FUNCTION_FAILED', times: 3 }, 0, 0, 0],
    ['and if it says so like this', { fail: 'C_SignInit', rv: 'CKR_OPERATION_ACTIVE', times: 3 }, 0, 0, 0],
    ['a failure of the device may pass', { fail: 'C_Sign', rv: 'CKR_DEVICE_ERROR', times: 1 }, 0, 0, 0],
    ['handles are looked up', { fail: 'C_SignInit', rv: 'CKR_KEY_HANDLE_INVALID', times: 1 }, 0, 0, 1],
    ['a login is repeated', { fail: 'C_SignInit', rv: 'CKR_USER_NOT_LOGGED_IN', times: 1 }, 0, 1, 1],
    ['a session is opened', { fail: 'C_SignInit', rv: 'CKR_SESSION_HANDLE_INVALID', times: 1 }, 1, 1, 1],
    ['and when it went in the middle', { fail: 'C_Sign', rv: 'CKR_DEVICE_REMOVED', times: 1 }, 1, 1, 1],
    ['all handles name other keys', { revoke: 'CKR_SESSION_HANDLE_INVALID', permute: true }, 1, 1, 1],
  ] as const) {
    const before = climbs();
    token.order(fault);
    t.match(await sign(), { ok: true }, what);
    const after = climbs();
    t.same(
      [after.opened - before.opened, after.loggedIn - before.loggedIn, after.found > before.found],
      [opened, loggedIn, found > 0],
      what,
    );
  }
  t.equal(pool.signers()[0]?.pid, pid);
  t.match(pool.signers()[0], { state: 'ready', restarts: 0, recoveries: 5 });
  t.match(pool.tokens()[0], { state: 'serving', reason: '', breakerOpenings: 0 });
});

test('a module that is beyond repair costs its signer, and no caller', async (t) => {
  const { pool, key } = await startPool(t, [token.tokenConfig()]);
  const sign = signing(pool, key);
  token.order({ fail: 'C_Sign', rv: 'CKR_GENERAL_ERROR', times: 1 });
  t.match(await sign(), { ok: true });
  t.match(pool.signers()[0], { restarts: 1, recoveries: 0, lastError: 'signing: CKR_GENERAL_ERROR' });
});

test('a signer that cannot climb is replaced, and what the new one needs is there', async (t) => {
  const { pool, key } = await startPool(t, [token.tokenConfig()]);
  const sign = signing(pool, key);
  // As modules that see a restarted token only after C_Initialize.
  token.order({ fail: 'C_OpenSession', rv: 'CKR_TOKEN_NOT_PRESENT', times: 4 });
  token.order({ revoke: 'CKR_DEVICE_REMOVED' });
  t.match(await sign(), { ok: false, error: { code: 'unavailable' } });
  t.match(pool.tokens()[0], { state: 'failing', reason: 'C_OpenSession: CKR_TOKEN_NOT_PRESENT' });
  await until(() => pool.tokens()[0]?.state === 'serving', SOON_MS_MAX);
  t.match(pool.signers()[0], { restarts: 1, lastError: 'it did not recover, and is replaced' });
  t.match(await sign(), { ok: true });
});

test('keys that cannot be read on the way up are not forgotten', async (t) => {
  const { pool, key } = await startPool(t, [token.tokenConfig()]);
  const told: number[] = [];
  pool.onKeys = (keys) => told.push(keys.length);
  const sign = signing(pool, key);
  token.order({ fail: 'C_GetAttributeValue', rv: 'CKR_DEVICE_ERROR', times: '50%' });
  token.order({ revoke: 'CKR_SESSION_HANDLE_INVALID' });
  t.match(await sign(), { ok: false, error: { code: 'unavailable' } }, 'not as if the key did not exist');
  token.order({ clear: true });
  await until(() => pool.tokens()[0]?.state === 'serving', SOON_MS_MAX);
  t.match(await sign(), { ok: true });
  t.same(told, [], 'the keys are the same all the time');
});

test('a wrong PIN on the way up costs one login for all signers, and the others are not asked', async (t) => {
  const pinFile = `${token.pinFile}.changed`;
  writeFileSync(pinFile, token.pin, { mode: 0o600 });
  const { pool, key } = await startPool(t, [token.tokenConfig({ signers: 3, pin_file: pinFile })], 3);
  writeFileSync(pinFile, 'wrong-pin-1234', { mode: 0o600 });
  const logins = climbs().loggedIn;
  token.order({ revoke: 'CKR_SESSION_HANDLE_INVALID' });
  const outcomes = await Promise.all(Array.from({ length: 6 }, signing(pool, key)));
  t.ok(outcomes.every((outcome) => !outcome.ok && outcome.error.code === 'unavailable'));
  t.equal(climbs().loggedIn - logins, 1);
  t.match(pool.tokens()[0], { state: 'latched' });
  await until(() => pool.signers().every(({ state }) => state === 'dead'), SOON_MS_MAX);
});

test('a key that the token always fails with is kept away, and the others go on', async (t) => {
  const { pool, keys } = await startPool(t, [token.tokenConfig({ signers: 2 })], 2);
  const [bad, good] = keys.map((key) => signing(pool, key));
  if (!bad || !good) throw new Error('the token has not two keys');
  const failing = (times: number) => token.order({ fail: 'C_Sign', rv: 'CKR_DEVICE_ERROR', times });
  const away = { ok: false, error: { code: 'unavailable', message: /fails with it/ } };
  // Each of the two signers tries.
  failing(2);
  t.match(await bad(), { ok: false, error: { message: /CKR_DEVICE_ERROR/ } });
  t.match(await good(), { ok: true });
  failing(1);
  t.match(await bad(), away);
  t.match(await bad(), away);
  t.match(await good(), { ok: true });
  t.match(pool.tokens()[0], { state: 'serving', breakerOpenings: 0 });
  await until(() => pool.holds(keys[0]?.key.spkiSha256 ?? ''), SOON_MS_MAX);
  failing(1);
  t.match(await bad(), away, 'on trial, one failure is enough');
  await until(() => pool.holds(keys[0]?.key.spkiSha256 ?? ''), SOON_MS_MAX);
  t.match(await bad(), { ok: true });
  t.match(await bad(), { ok: true });
});

test('a signature that does not verify on the way up shuts the token', async (t) => {
  const { pool, key } = await startPool(t, [token.tokenConfig()]);
  token.order({ corrupt: 'forever' });
  token.order({ revoke: 'CKR_SESSION_HANDLE_INVALID' });
  t.match(await signing(pool, key)(), { ok: false, error: { code: 'unavailable' } });
  t.match(pool.tokens()[0], { state: 'quarantined', reason: /does not verify/ });
});

test('a token that is not there at the start is refused at once, and serves when it has come', async (t) => {
  token.order({ fail: 'C_OpenSession', rv: 'CKR_TOKEN_NOT_PRESENT', times: 1 });
  const pool = newPool(t, [token.tokenConfig()]);
  await until(() => pool.tokens()[0]?.state === 'failing', SOON_MS_MAX);
  await until(() => pool.tokens()[0]?.state === 'serving', SOON_MS_MAX);
  t.match(pool.tokens()[0], { reason: '', breakerOpenings: 1 });
});

/** One signature with the scheduler's part played; one that does not verify is told as such. */
function signing(pool: Pool, served: ServedKey): () => Promise<Outcome> {
  const submit = putBack(pool);
  const algorithm = algorithmNamed('ecdsa_secp256r1_sha256') ?? algorithmsOf(served.key)[0];
  if (!algorithm) throw new Error('no algorithm');
  return async () => {
    const { job, outcome } = newJob(served, algorithm, MESSAGE);
    submit(job);
    const how = await outcome;
    if (!how.ok || verifies(served.key, algorithm, MESSAGE, Buffer.from(how.signature))) return how;
    throw new Error('the signature does not verify');
  };
}

function climbs() {
  return {
    opened: token.counters('C_OpenSession').calls,
    loggedIn: token.counters('C_Login').calls,
    found: token.counters('C_FindObjectsInit').calls,
  };
}
