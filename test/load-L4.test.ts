import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createFaultyToken } from './fixtures/faulty-token.js';
import { watchLateness } from './fixtures/lateness.js';
import { startService } from './fixtures/running-service.js';
import { watchSigners } from './fixtures/signer-status.js';
import { recordGoal } from './reliability/measured-goal.js';
import { codesOf, openLoop, tookMs } from './reliability/open-loop.js';
import { loadRequest, PipelinedClient } from './reliability/pipelined-client.js';
import { quantile } from './reliability/quantile.js';
import { firstKey } from './reliability/service-key.js';
import { sized } from './reliability/soak.js';

const TOKEN_US = 2_000;
const SESSIONS = 2;
const TIMEOUT_MS = 5_000;
/** A fifth of what the token can. */
const QUIET_PER_S = 200;
const QUOTA_PER_S = 100;
const TIMES_OF_QUOTA = 10;
const ROUND_S = sized(1, 5);
const ROUNDS = sized(2, 12);
const RATIO_MAX = 2;
/** The goal is 2; a machine that is busy with other tests delays now the one and now the other, and this process with both. */
const RATIO_MAX_BUSY = 20;

const grants = [
  { principal: 'web', keys: ['*'], uses: ['digest'] },
  { principal: 'noisy', keys: ['*'], uses: ['digest'], rate_per_s: QUOTA_PER_S, burst: QUOTA_PER_S },
];

t.test('L4: a client at 10 times its quota is held to it, and the others do not notice', async (t) => {
  const busy = watchLateness(t);
  const { quiet, noisy } = await startSite(t, grants, 'noisy');
  const alone: number[] = [];
  const beside: number[] = [];
  const noise: Record<string, number> = {};
  let noisyS = 0;
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(...(await quiet()));
    const beganMs = performance.now();
    const [mine, codes] = await Promise.all([quiet(), noisy(TIMES_OF_QUOTA * QUOTA_PER_S)]);
    noisyS += (performance.now() - beganMs) / 1000;
    beside.push(...mine);
    for (const [code, count] of Object.entries(codes)) noise[code] = (noise[code] ?? 0) + count;
  }
  const [aloneMs, besideMs] = [quantile(alone, 0.99), quantile(beside, 0.99)];
  const ratio = besideMs / aloneMs;
  const said = `p99 ${aloneMs.toFixed(1)} ms alone, ${besideMs.toFixed(1)} ms beside ${JSON.stringify(noise)}`;
  t.ok(besideMs <= RATIO_MAX_BUSY * aloneMs + busy.ofRequestMs, said);
  // The burst, and the rate for as long as he asked.
  const quotas = ROUNDS + noisyS;
  t.ok((noise.OK ?? 0) <= QUOTA_PER_S * quotas + ROUNDS, 'who is over his quota is held to it');
  t.ok((noise.RESOURCE_EXHAUSTED ?? 0) > (noise.OK ?? 0), 'and told so');
  recordGoal({
    id: 'L4',
    goal: "the others' p99 beside a client at 10 times its quota, to that without it",
    measured: ratio,
    unit: '',
    must: 'at most',
    bound: RATIO_MAX,
    of: said,
  });
});

t.test('L4: a client without a quota that asks for more than the token can takes its share and no more', async (t) => {
  const { quiet, noisy } = await startSite(
    t,
    [grants[0] as object, { principal: 'noisy', keys: ['*'], uses: ['digest'] }],
    'greedy',
  );
  const [mine, codes] = await Promise.all([quiet(), noisy(3_000)]);
  t.ok(mine.length > 0);
  t.ok(
    (codes.RESOURCE_EXHAUSTED ?? 0) > 0,
    `what cannot be served is refused to him who asks it: ${JSON.stringify(codes)}`,
  );
});

/** Loads of a round on a service with two principals; that of the quiet one gives milliseconds, and no request of it may fail. */
async function startSite(t: Test, wanted: readonly object[], name: string) {
  const token = createFaultyToken({ label: name, keys: [{ label: 'p256', type: 'p256' }] });
  t.teardown(() => token.remove());
  const uid = process.getuid?.();
  const sockets = ['web', 'noisy'].map((role) => ({ path: `${role}.sock`, role }));
  const principals = sockets.map(({ role }) => ({ name: role, socket: { role, uid } }));
  const service = await startService(t, token, { signers: SESSIONS, grants: wanted, more: { sockets, principals } });
  await watchSigners(t, service).whole(SESSIONS);
  token.order({ latencyUs: TOKEN_US });
  const key = await firstKey(service);
  const open = async (role: string) => {
    const clients = await Promise.all([1, 2].map(() => PipelinedClient.open(join(service.folder, `${role}.sock`))));
    t.teardown(() => Promise.all(clients.map((client) => client.close())));
    return clients;
  };
  const [web, loud] = [await open('web'), await open('noisy')];
  return {
    async quiet(): Promise<number[]> {
      const request = loadRequest(key, TIMEOUT_MS);
      const answers = await openLoop({ clients: web, request, rate: QUIET_PER_S, seconds: ROUND_S });
      t.same(codesOf(answers), { OK: answers.length }, 'no request of the others fails');
      return tookMs(answers);
    },
    async noisy(rate: number) {
      return codesOf(await openLoop({ clients: loud, request: loadRequest(key, 250), rate, seconds: ROUND_S }));
    },
  };
}
