import t from 'tap';
import { createFaultyToken } from './fixtures/faulty-token.js';
import { type RunningService, startService } from './fixtures/running-service.js';
import { SocketClient } from './fixtures/socket-client.js';
import { recordGoal } from './reliability/measured-goal.js';

const SIGNATURES = 10;

t.test('the faulty token under a service', async (t) => {
  const token = createFaultyToken({ keys: [{ label: 'p256', type: 'p256' }] });
  t.teardown(() => token.remove());
  const service = await startService(t, token);
  const sign = await signer(service);
  t.teardown(() => sign.close());

  await t.test('F2: a signature is one C_SignInit and one C_Sign, and nothing else reaches the token', async (t) => {
    t.equal(await sign(), 'sign');
    const from = (token.spyLog().at(-1)?.number ?? 0) + 1;
    for (let i = 0; i < SIGNATURES; i++) t.equal(await sign(), 'sign');
    const calls = token.spyLog(from);
    t.same(
      calls.map((call) => call.function),
      Array.from({ length: SIGNATURES }, () => ['C_SignInit', 'C_Sign']).flat(),
    );
    t.ok(calls.every((call) => call.rv === 'CKR_OK' && call.reached));
    const perSignature = calls.length / SIGNATURES;
    const of = `${SIGNATURES} signatures`;
    recordGoal({
      id: 'F2',
      goal: 'calls of PKCS#11 for a signature',
      measured: perSignature,
      unit: '',
      must: 'at most',
      bound: 2,
      of,
    });
  });

  await t.test('latency that is ordered is in the answer', async (t) => {
    token.order({ latencyUs: 100_000 });
    const began = performance.now();
    t.equal(await sign(), 'sign');
    t.ok(performance.now() - began >= 100);
    token.order({ clear: true });
  });

  await t.test('a code that is ordered becomes an error, and counts as failed', async (t) => {
    const before = token.counters('C_Sign');
    token.order({ fail: 'C_Sign', rv: 'CKR_DEVICE_MEMORY', times: 'forever' });
    t.equal(await sign(), 'error');
    // Before it is cleared: the signer may try once more at any time.
    const after = token.counters('C_Sign');
    token.order({ clear: true });
    t.ok(after.failed > before.failed);
    t.equal(after.reached, before.reached);
  });

  await t.test('an order that makes no sense is refused', async (t) => {
    t.throws(() => token.order({ fail: 'C_Sing', rv: 'CKR_OK', times: 1 }));
    t.throws(() => token.counters('C_Sing'));
  });
});

/** Asks for a signature and tells what kind of answer came. */
async function signer(service: RunningService) {
  const keys = (await service.logged('keys found')).keys as { spkiSha256: string }[];
  const spkiSha256 = Buffer.from(keys[0]?.spkiSha256 ?? '', 'hex');
  const client = await SocketClient.hello(service.webSocket);
  let id = 1;
  const sign = async () => {
    id += 1;
    client.sign(id, { spkiSha256, timeoutUs: 5_000_000 });
    return (await client.answer(id)).body?.$case;
  };
  return Object.assign(sign, { close: () => client.close() });
}
