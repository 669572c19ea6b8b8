import t from 'tap';
import { createFaultyToken, type Order } from './fixtures/faulty-token.js';
import { recordLoad } from './fixtures/recorded-load.js';
import { startService } from './fixtures/running-service.js';
import { watchSigners } from './fixtures/signer-status.js';

const SIGNERS = 2;
const CALLERS = 4;
const TIMEOUT_MS = 5_000;
const TOKEN_US = 2_000;
/** Asked after the service is whole again, each time. */
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

t.test('goal F1: a token that restarts invalidates all sessions at once, and the service signs on', async (t) => {
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

  for (const restart of RESTARTS) {
    const gone = await signers.ready();
    const beganMs = performance.now();
    token.order(restart);
    const tookMs = await signers.whole(SIGNERS, gone);
    const wholeMs = performance.now();
    await load.more(ASKED);
    const after = load.asked(wholeMs);
    const ok = after.filter(({ signature }) => signature).length;
    t.ok(ok >= OK_SHARE * after.length, `${JSON.stringify(restart)}: ${ok} of ${after.length} signed afterwards`);
    const failed = load.asked(beganMs, wholeMs).flatMap(({ error }) => error ?? []);
    t.ok(
      failed.every((error) => /UNAVAILABLE/.test(error)),
      `whole after ${Math.round(tookMs)} ms, meanwhile ${failed.length} unavailable`,
    );
  }
  await load.stop();
  t.notOk(service.log.some(({ msg }) => msg === 'token is out of use'));
  await t.resolves(signers.all(), 'the service was not restarted');
});
