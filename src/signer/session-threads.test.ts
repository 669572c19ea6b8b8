import { createHash } from 'node:crypto';
import pkcs11js from 'pkcs11js';
import tap, { test } from 'tap';
import { createToken } from '../../test/fixtures/softhsm-token.js';
import { algorithmNamed } from '../algorithms.js';
import { encodePin, type SignerConfiguration } from '../pool/messages.js';
import { ckrCodeOf } from './ckr.js';
import { findKeys } from './find-keys.js';
import { SessionThreads, type ThreadJob } from './session-threads.js';
import { closeSession, logIn, openModule, openSession } from './token.js';

const softhsm = createToken({
  keys: [
    { label: 'p256', type: 'p256' },
    { label: 'rsa', type: 'rsa3072' },
  ],
});
// SoftHSM reads it at C_Initialize, which a process does once.
process.env.SOFTHSM2_CONF = softhsm.conf;
const wanted: SignerConfiguration = {
  module: softhsm.module,
  tokenLabel: softhsm.label,
  verify: 'first',
  busyPollUs: 0,
  tokenBusyMs: 0,
};
const session = openSession(openModule(wanted), wanted);
logIn(session, encodePin(Buffer.from(softhsm.pin)));
tap.teardown(() => {
  closeSession(session);
  softhsm.remove();
});

const { keys } = findKeys(session, []);
/** What may wait for each thread (native/addon/sign_threads.c). */
const WAITING_MAX = 64;
const handleOf = (wish: string) => keys.find(({ label }) => label === wish)?.handle as Buffer;
const job: ThreadJob = {
  key: handleOf('p256'),
  mechanism: algorithmNamed('ecdsa_secp256r1_sha256')?.mechanism as number,
  pss: undefined,
  input: createHash('sha256').digest(),
  deadlineMs: Number.POSITIVE_INFINITY,
};
/** Milliseconds each. */
const slow: ThreadJob = { ...job, key: handleOf('rsa'), mechanism: pkcs11js.CKM_RSA_PKCS };

test('more than a thread may have is refused at once, and all else is made', async (t) => {
  const threads = new SessionThreads(softhsm.module, [session]);
  const ends = await Promise.allSettled(Array.from({ length: 2 * WAITING_MAX }, () => threads.sign(slow)));
  const refused = ends.filter(({ status }) => status === 'rejected');
  t.ok(refused.length > 0 && refused.length <= WAITING_MAX, `${refused.length} were refused`);
  t.match(refused, Array(refused.length).fill({ reason: { message: /too many jobs wait/ } }));
  threads.close();
});

test('what the module returns comes back with its code', async (t) => {
  const threads = new SessionThreads(softhsm.module, [session]);
  const key = Buffer.alloc(8, 0xff);
  const [error] = await Promise.all([threads.sign({ ...job, key }).catch((thrown) => thrown), threads.sign(job)]);
  t.equal(ckrCodeOf(error), 0x82);
  t.equal(error.message, 'CKR_OBJECT_HANDLE_INVALID');
  threads.close();
});

test('threads begin and end as often as sessions are lost', async (t) => {
  for (let times = 0; times < 50; times++) {
    const threads = new SessionThreads(softhsm.module, [session]);
    t.match(await threads.sign(job), { signature: Buffer });
    threads.close();
  }
});

test('wrong use is an error', async (t) => {
  t.throws(() => new SessionThreads('/nowhere/module.so', [session]), { message: /expected a PKCS#11 module/ });
  t.throws(() => new SessionThreads(softhsm.module, []), { message: /expected 1 to 1024 handles/ });
  const threads = new SessionThreads(softhsm.module, [session]);
  await t.rejects(threads.sign({ ...job, key: Buffer.alloc(3) }), { message: /expected threads, a ticket, a key/ });
  threads.close();
});
