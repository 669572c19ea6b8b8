import t, { type Test } from 'tap';
import { createFaultyToken, type FaultyToken, type Order } from './fixtures/faulty-token.js';
import { knownKey } from './fixtures/known-key.js';
import { type Answered, MESSAGE, recordLoad } from './fixtures/recorded-load.js';
import { startService } from './fixtures/running-service.js';
import { watchSigners } from './fixtures/signer-status.js';
import { until } from './fixtures/until.js';
import { recordGoal } from './reliability/measured-goal.js';
import { sized, times } from './reliability/soak.js';

const CALLERS = 4;
const TIMEOUT_MS = 10_000;
/** Signatures before the fault: a soak returns 10,000 and more. */
const GOOD = sized(20, 100);
/** With `verify: sample`, one signature in so many of a signer and a key is verified (examples/signet.yaml). */
const SAMPLE = 64;

const key = knownKey();
const token = createFaultyToken({
  keys: [
    { label: 'known', pem: key.pem },
    { label: 'other', type: 'p256' },
  ],
});
t.teardown(() => token.remove());

const FAULTS: Order[] = [{ corrupt: 1 }, { corrupt: '10%' }, { wrongKey: 'forever' }];

t.test('F7: with verify: always no wrong signature leaves, and the first shuts the token', async (t) => {
  const seen = { answers: 0, wrong: 0, faults: 0 };
  for (const scene of times(FAULTS.length)) {
    const fault = FAULTS[scene % FAULTS.length] as Order;
    await t.test(`${scene}: ${JSON.stringify(fault)}`, async (t) => {
      const { answers, wrong, error } = await loadUntilShut(t, 'always', 2, fault, GOOD);
      t.same(wrong, [], `${answers.length} answers, none of them a wrong signature`);
      t.match(error, 'quarantined');
      const refused = answers.filter(({ error }) => error?.startsWith('ERROR_CODE_TOKEN_FAILED')).length;
      t.ok(refused > 0);
      seen.answers += answers.length;
      seen.wrong += wrong.length;
      seen.faults += refused;
    });
  }
  const of = `${seen.answers} answers, ${seen.faults} wrong signatures made`;
  recordGoal({
    id: 'F7',
    goal: 'wrong signatures returned with verify: always',
    measured: seen.wrong,
    unit: '',
    must: 'at most',
    bound: 0,
    of,
  });
});

t.test('F7: with verify: sample a token of wrong signatures is shut within the sample', async (t) => {
  let seen = 0;
  let most = 0;
  for (const scene of times(2, 20)) {
    const good = scene % 2 === 0 ? 5 : 40;
    await t.test(`${scene}: after ${good} good ones`, async (t) => {
      const { wrong, error } = await loadUntilShut(t, 'sample', 1, { corrupt: 'forever' }, good);
      t.ok(wrong.length < SAMPLE, `${wrong.length} wrong signatures left`);
      t.match(error, 'quarantined');
      seen += wrong.length;
      most = Math.max(most, wrong.length);
    });
  }
  t.ok(seen > 0, 'the faults were there, or nothing would have been tested');
  recordGoal({
    id: 'F7',
    goal: 'wrong signatures before the token is shut with verify: sample, at the most',
    measured: most,
    unit: '',
    must: 'at most',
    bound: SAMPLE,
  });
});

/** Signs so often, then orders the fault and goes on until the token is out of use and no request can reach it. */
async function loadUntilShut(t: Test, verify: 'always' | 'sample', count: number, fault: Order, good: number) {
  const service = await startService(t, token, { signers: count, verify });
  const signers = watchSigners(t, service);
  await signers.whole(count);
  const load = await recordLoad(t, service, { callers: CALLERS, timeoutMs: TIMEOUT_MS, spkiSha256: key.spkiSha256 });
  await load.more(good);
  token.order(fault);
  const { error } = await service.logged('token is out of use');
  await until(async () => (await signers.all()).every(({ pid }) => pid === 0));
  token.order({ clear: true });
  await nothingReaches(t, token, () => load.more(50));
  await load.stop();
  t.ok(load.answers.at(-1)?.error?.startsWith('ERROR_CODE_UNAVAILABLE'), 'callers are told at once to go elsewhere');
  return { answers: load.answers, wrong: load.answers.filter(isWrong), error: String(error) };
}

async function nothingReaches(t: Test, { counters }: FaultyToken, during: () => Promise<void>): Promise<void> {
  const before = counters('C_Sign').calls;
  await during();
  t.equal(counters('C_Sign').calls, before, 'nothing reaches a token that is shut');
}

function isWrong({ signature }: Answered): boolean {
  return signature !== undefined && !key.verifies(MESSAGE, signature);
}
