import t from 'tap';
import { type Algorithm, algorithmNamed, fitsKey, SCHEME_NAMES } from '../src/algorithms.js';
import type { SignRequest } from '../src/gen/signet/v1/sign.js';
import type { PublicKey } from '../src/public-key.js';
import { createFaultyToken } from './fixtures/faulty-token.js';
import { sign, startPool } from './fixtures/pool.js';
import { startService } from './fixtures/running-service.js';
import { newJob } from './fixtures/sign-job.js';
import { watchSigners } from './fixtures/signer-status.js';
import { recordGoal } from './reliability/measured-goal.js';
import { PipelinedClient } from './reliability/pipelined-client.js';

const KINDS = ['p256', 'p384', 'p521', 'rsa2048', 'ed25519'] as const;
const ALGORITHMS = SCHEME_NAMES.map((name) => algorithmNamed(name) as Algorithm);
/** Code points that no scheme of ours has: SHA-1, ed448, brainpool, GREASE, a draft's, none. */
const FOREIGN = [0x0201, 0x0203, 0x0808, 0x081a, 0x0a0a, 0x0708, 0xffff, 0];
const DIGEST_BYTES = [0, 1, 19, 20, 28, 31, 32, 33, 36, 47, 48, 49, 63, 64, 65, 128, 512];
const MESSAGE = Buffer.from('a message');

t.test('B2: no wrong pair of key, scheme and digest reaches C_SignInit', async (t) => {
  const token = createFaultyToken({ keys: KINDS.map((type) => ({ label: type, type })) });
  t.teardown(() => token.remove());
  const reached = () => ['C_SignInit', 'C_Sign'].map((name) => token.counters(name as 'C_Sign').calls);
  const service = await startService(t, token, { more: { log: { level: 'info' } } });
  const signers = watchSigners(t, service);
  await signers.whole(1);
  const pids = await signers.ready();
  const { pool, keys } = await startPool(t, [token.tokenConfig()]);
  const before = reached();
  let asked = 0;

  await t.test('through the socket transport', async (t) => {
    const client = await PipelinedClient.open(service.webSocket);
    for (const { key } of keys) {
      const codes = await Promise.all(wrongRequests(key).map(async (request) => (await client.request(request)).code));
      asked += codes.length;
      t.ok(
        codes.every((code) => code === 'INVALID_ARGUMENT'),
        `${key.type}${key.bits}: ${codes.length} are refused`,
      );
    }
    await client.close();
  });

  await t.test('past the front, at the signer itself', async (t) => {
    for (const served of keys) {
      for (const algorithm of ALGORITHMS) {
        for (const [input, inputIsDigest] of inputs()) {
          if (isRight(served.key, algorithm, input, inputIsDigest)) continue;
          const outcome = await sign(pool, newJob(served, algorithm, input, { inputIsDigest }));
          asked++;
          if (outcome.ok || outcome.error.code !== 'invalid_argument') t.fail(`${served.label} with ${algorithm.name}`);
        }
      }
    }
  });

  const calls = reached().reduce((sum, count, i) => sum + count - (before[i] ?? 0), 0);
  t.equal(calls, 0, 'C_SignInit and C_Sign were not called');
  t.same(await signers.ready(), pids, 'no signer died');
  const of = `${asked} wrong pairs`;
  recordGoal({
    id: 'B2',
    goal: 'wrong pairs that reached C_SignInit',
    measured: calls,
    unit: '',
    must: 'at most',
    bound: 0,
    of,
  });

  const client = await PipelinedClient.open(service.webSocket);
  t.teardown(() => client.close());
  const right = keys.flatMap(({ key }) =>
    ALGORITHMS.filter((one) => fitsKey(one, key)).map((one) => requestOf(key, one.scheme, MESSAGE, false)),
  );
  for (const request of right) t.equal((await client.request(request)).code, 'OK');
  t.same(
    reached(),
    before.map((count) => count + right.length),
    'the right ones were',
  );
});

function inputs(): [Buffer, boolean][] {
  return [[MESSAGE, false], ...DIGEST_BYTES.map((bytes): [Buffer, boolean] => [Buffer.alloc(bytes, 7), true])];
}

function isRight(key: PublicKey, algorithm: Algorithm | undefined, input: Buffer, inputIsDigest: boolean): boolean {
  if (!algorithm || !fitsKey(algorithm, key)) return false;
  return !inputIsDigest || (algorithm.hash !== undefined && input.length === algorithm.digestBytes);
}

function wrongRequests(key: PublicKey): SignRequest[] {
  const schemes = [...ALGORITHMS.map(({ scheme }) => scheme as number), ...FOREIGN];
  return schemes.flatMap((scheme) => {
    const algorithm = ALGORITHMS.find((one) => one.scheme === scheme);
    const wrong = inputs().filter(([input, inputIsDigest]) => !isRight(key, algorithm, input, inputIsDigest));
    return wrong.map(([input, inputIsDigest]) => requestOf(key, scheme, input, inputIsDigest));
  });
}

function requestOf({ spkiSha256 }: PublicKey, scheme: number, value: Buffer, inputIsDigest: boolean): SignRequest {
  return {
    spkiSha256: Buffer.from(spkiSha256, 'hex'),
    scheme,
    input: { $case: inputIsDigest ? 'digest' : 'message', value },
    timeoutUs: 0,
    attemptId: Buffer.alloc(0),
  };
}
