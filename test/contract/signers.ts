import type { Test } from 'tap';
import { type Algorithm, algorithmNamed } from '../../src/algorithms.js';
import type { Key } from '../../src/gen/signet/v1/keys.js';
import { publicKeyFromSpki } from '../../src/public-key.js';
import { verifies as isOf } from '../../src/signer/verify.js';
import { listKeys } from '../fixtures/carriers.js';
import type { Faults } from '../fixtures/faulty-token.js';
import { MESSAGE, type RecordedLoad, recordLoad } from '../fixtures/recorded-load.js';
import { type ConfiguredToken, type RunningService, startService } from '../fixtures/running-service.js';
import { watchSigners } from '../fixtures/signer-status.js';
import { until } from '../fixtures/until.js';

const CALLERS = 4;
const TIMEOUT_MS = 10_000;
const KILLS = 2;
/** Signatures before and after each thing that happens. */
const SOME = 10;
/** How often signers find no session, so that it is seen that they are tried again. */
const REFUSALS = 3;
/** Signers that a service wants beyond those for which the token has room. */
const TOO_MANY = 2;
const REFUSED_MS_MAX = 60_000;

/** Kills signers under load. */
export async function outlivesItsSigners(t: Test, service: RunningService, count: number, keys: readonly Key[]) {
  const signers = watchSigners(t, service);
  const { load, end } = await loadWith(t, service, p256Of(keys));
  for (let kill = 0; kill < KILLS; kill++) {
    await load.more(SOME);
    const [victim] = (await signers.ready()) as [number];
    process.kill(victim, 'SIGKILL');
    await signers.whole(count, [victim]);
  }
  await load.more(SOME);
  await end();
}

/** The token has no more sessions than are open when a signer dies: its successors find none, until one is free again. */
export async function servesWithFewSessions(
  t: Test,
  service: RunningService,
  faults: Faults,
  count: number,
  keys: readonly Key[],
) {
  const signers = watchSigners(t, service);
  const { load, end } = await loadWith(t, service, p256Of(keys));
  await load.more(SOME);
  faults.order({ fail: 'C_OpenSession', rv: 'CKR_SESSION_COUNT', times: 'forever' });
  const [victim] = (await signers.ready()) as [number];
  process.kill(victim, 'SIGKILL');
  await until(() => refusals(service).length >= REFUSALS, REFUSED_MS_MAX);
  await load.more(SOME);
  faults.order({ clear: true });
  await signers.whole(count);
  await load.more(SOME);
  await end();
}

/** The same in earnest: a service that is to have more signers than the token takes. */
export async function servesWithFewSigners(t: Test, token: ConfiguredToken, max: number) {
  const service = await startService(t, token, { signers: max + TOO_MANY });
  const signers = watchSigners(t, service);
  await signers.whole(max);
  const { load, end } = await loadWith(t, service, p256Of(await listKeys(t, service.grpcAddress)));
  await until(() => ended(service).length >= REFUSALS, REFUSED_MS_MAX);
  await load.more(SOME);
  t.equal((await signers.ready()).length, max);
  await end();
}

/** `end` tells whether every request that was made was answered with a signature that is right. */
async function loadWith(
  t: Test,
  service: RunningService,
  key: Key,
): Promise<{ load: RecordedLoad; end(): Promise<void> }> {
  const { spkiSha256 } = key;
  const load = await recordLoad(t, service, { callers: CALLERS, timeoutMs: TIMEOUT_MS, spkiSha256 });
  const end = async () => {
    await load.stop();
    const failed = load.answers.flatMap(({ error }) => error ?? []);
    t.same(failed, [], `${load.answers.length} asked, none failed`);
    t.ok(load.answers.every(({ signature }) => signature && isRight(key, Buffer.from(signature))));
  };
  return { load, end };
}

function p256Of(keys: readonly Key[]): Key {
  const key = keys.find(({ label }) => label === 'p256');
  if (!key) throw new Error('the token has no key p256');
  return key;
}

function isRight(key: Key, signature: Buffer): boolean {
  return isOf(publicKeyFromSpki(key.publicKeyDer), P256, MESSAGE, signature);
}

const P256 = algorithmNamed('ecdsa_secp256r1_sha256') as Algorithm;

function ended({ log }: RunningService) {
  return log.filter(({ msg }) => msg === 'signer ended');
}

function refusals(service: RunningService) {
  return ended(service).filter(({ error }) => String(error).includes('CKR_SESSION_COUNT'));
}
