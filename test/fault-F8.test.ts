import t from 'tap';
import { createFaultyToken, type FaultyToken } from './fixtures/faulty-token.js';
import { knownKey } from './fixtures/known-key.js';
import { MESSAGE, recordLoad } from './fixtures/recorded-load.js';
import { startService } from './fixtures/running-service.js';
import { watchSigners } from './fixtures/signer-status.js';
import { until } from './fixtures/until.js';

const CALLERS = 6;
const TIMEOUT_MS = 5_000;
const TOKEN_US = 2_000;
const SIGNERS_EACH = 2;
const FAILOVER_MS_MAX = 1_000;
/** Of the faulty token, so that it has been tried again and again. */
const DEATHS = 6;

t.test(
  'goal F8: while a token fails persistently, another with the same key signs for it, and no request fails',
  async (t) => {
    const key = knownKey();
    const [first, second] = ['first', 'second'].map((label) =>
      createFaultyToken({ label, keys: [{ label: 'known', pem: key.pem }] }),
    ) as [FaultyToken, FaultyToken];
    for (const token of [first, second]) t.teardown(() => token.remove());
    const tokens = [first, second].map((token) => token.tokenConfig({ signers: SIGNERS_EACH }));
    const service = await startService(t, first, { more: { tokens } });
    const signers = watchSigners(t, service);
    await signers.whole(2 * SIGNERS_EACH);
    for (const token of [first, second]) token.order({ latencyUs: TOKEN_US });
    const load = await recordLoad(t, service, {
      callers: CALLERS,
      timeoutMs: TIMEOUT_MS,
      spkiSha256: key.spkiSha256,
    });

    for (const ill of [first, second]) {
      await load.more(100);
      const beganMs = performance.now();
      const diedBefore = deaths();
      ill.order({ fail: 'C_Sign', rv: 'CKR_DEVICE_ERROR', times: 'forever' });
      await until(() => deaths() >= diedBefore + DEATHS, 15_000);
      await load.more(100);
      const during = load.asked(beganMs);
      const slowestMs = Math.max(...during.map(({ askedMs, answeredMs }) => answeredMs - askedMs));
      t.same(
        during.flatMap(({ error }) => error ?? []),
        [],
        `${during.length} asked, none failed`,
      );
      t.ok(slowestMs <= FAILOVER_MS_MAX, `the slowest took ${Math.round(slowestMs)} ms`);
      ill.order({ clear: true });
      ill.order({ latencyUs: TOKEN_US });
      await signers.whole(2 * SIGNERS_EACH);
    }
    await load.stop();
    t.ok(load.answers.every(({ signature }) => signature && key.verifies(MESSAGE, signature)));

    function deaths(): number {
      return service.log.filter(({ msg }) => msg === 'signer ended').length;
    }
  },
);
