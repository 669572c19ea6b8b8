import childProcess, { type SpawnOptions } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import tap, { type Test, test } from 'tap';
import { spyOn } from '../../test/fixtures/pkcs11-spy.js';
import { keepSigning, logTo, newPool, putBack, sign, startPool, tokenOf, until } from '../../test/fixtures/pool.js';
import { newJob } from '../../test/fixtures/sign-job.js';
import { createToken } from '../../test/fixtures/softhsm-token.js';
import { algorithmNamed, algorithmsOf } from '../algorithms.js';
import type { ServedKey } from '../keys/served-key.js';
import { verifies } from '../signer/verify.js';
import { encodeDown, encodeFailed, encodeKeys, encodeLoggedIn, encodeLogin, encodeUp, FrameType } from './messages.js';

const MESSAGE = Buffer.from('a message');
const P256 = named('ecdsa_secp256r1_sha256');

const hex = (frame: Buffer) => frame.toString('hex');

/** What the script of a signer needs, which begins with its wish to log in: `hears` waits for a frame of a type, or for the end. */
const SPEAKS = `
  const says = (hex) => fs.writeSync(3, Buffer.from(hex, 'hex'));
  const frame = Buffer.alloc(65536);
  const reads = (from, to) => { while (from < to) from += fs.readSync(3, frame, from, to - from) || process.exit(); };
  const hears = (type) => { do { reads(0, 4); reads(4, 4 + frame.readUInt32BE(0)); } while (frame[4] !== type); };
  const hangs = () => setInterval(() => undefined, 1000);
  says('${hex(encodeLogin({ serial: '0123', finalTry: false, locked: false }))}');`;

/** For the tests that change nothing in it; each has signers of its own. */
const token = createToken({
  keys: [
    { label: 'p256', type: 'p256' },
    { label: 'p384', type: 'p384' },
    { label: 'p521', type: 'p521' },
    { label: 'rsa', type: 'rsa2048' },
    { label: 'rsa3072', type: 'rsa3072' },
    { label: 'ed25519', type: 'ed25519' },
  ],
});
tap.teardown(() => token.remove());

test('every algorithm signs messages and digests, through exactly one C_SignInit and one C_Sign each', async (t) => {
  const spy = spyOn(token);
  const { pool, keys } = await startPool(t, [spy.tokenConfig({ verify: 'always' })]);
  t.equal(keys.length, 6);
  let signed = 0;
  for (const key of keys) {
    for (const algorithm of algorithmsOf(key.key)) {
      const inputs = [{ input: MESSAGE, inputIsDigest: false }];
      if (algorithm.hash) {
        inputs.push({ input: createHash(algorithm.hash).update(MESSAGE).digest(), inputIsDigest: true });
      }
      for (const { input, inputIsDigest } of inputs) {
        const outcome = await sign(pool, newJob(key, algorithm, input, { inputIsDigest }));
        const name = `${key.label} ${algorithm.name} ${inputIsDigest ? 'digest' : 'message'}`;
        t.ok(outcome.ok && verifies(key.key, algorithm, MESSAGE, Buffer.from(outcome.signature)), name);
        t.ok(outcome.tokenUs > 0 && outcome.tokenUs < 5_000_000, `${outcome.tokenUs} µs in the token`);
        signed++;
      }
    }
  }
  t.match(spy.calls(), { C_Login: 1, C_OpenSession: 1, C_SignInit: signed, C_Sign: signed });
  t.match(pool.signers(), [{ signatures: signed, inFlight: 0, restarts: 0, lastError: '' }]);
  await pool.close(30_000);
  t.match(spy.calls(), { C_CloseSession: 1, C_Finalize: 1 });
});

test('a digest of zeros is signed and verified too', async (t) => {
  const { pool, key } = await startPool(t, [token.tokenConfig({ verify: 'always' })]);
  t.ok((await sign(pool, newJob(key, P256, Buffer.alloc(32), { inputIsDigest: true }))).ok);
});

test('a scheme or a digest that does not fit is refused before C_SignInit, and the signer lives', async (t) => {
  const spy = spyOn(token);
  const { pool, key } = await startPool(t, [spy.tokenConfig()]);
  const misfits: [string, Uint8Array, boolean][] = [
    ['rsa_pss_rsae_sha256', MESSAGE, false],
    ['ed25519', MESSAGE, false],
    ['ecdsa_secp384r1_sha384', MESSAGE, false],
    ['ecdsa_secp256r1_sha256', Buffer.alloc(31), true],
    ['ecdsa_secp256r1_sha256', Buffer.alloc(0), true],
  ];
  for (const [name, input, inputIsDigest] of misfits) {
    const outcome = await sign(pool, newJob(key, named(name), input, { inputIsDigest }));
    t.match(outcome, { ok: false, error: { code: 'invalid_argument' } }, name);
  }
  t.notOk('C_SignInit' in spy.calls());
  t.ok((await sign(pool, newJob(key, P256, MESSAGE))).ok);
});

test('a signer killed under load costs no job while another lives, and is replaced within 2 s', async (t) => {
  const begunMs = performance.now();
  const { pool, key } = await startPool(t, [token.tokenConfig({ signers: 2 })]);
  // On a machine too busy to start a signer in its time, the bound is what starting one took a moment ago.
  const boundMs = Math.max(2000, 3 * (performance.now() - begunMs));
  await until(() => pool.signers().every(({ state }) => state === 'ready'));
  const load = keepSigning(t, pool, key, P256, 8);
  for (let kills = 1; kills <= 2; kills++) {
    await until(() => (pool.signers()[0]?.inFlight ?? 0) > 0);
    const victim = pool.signers()[0]?.pid ?? 0;
    process.kill(victim, 'SIGKILL');
    const killedMs = performance.now();
    await until(() => pool.signers()[0]?.pid !== victim && pool.signers()[0]?.state === 'ready');
    t.ok(performance.now() - killedMs < boundMs, `${Math.round(performance.now() - killedMs)} ms`);
    t.match(pool.signers()[0], { restarts: kills, lastError: /SIGKILL/ });
  }
  const { signed, failed } = await load.stop();
  t.ok(signed > 10, `${signed} signatures`);
  t.same(failed, []);
});

test('how a signer ended is known also when its process ends a while after its socket', async (t) => {
  signersRun(t, 'fs.closeSync(3); setTimeout(() => process.kill(process.pid, "SIGKILL"), 150)');
  const pool = newPool(t, [token.tokenConfig()]);
  await until(() => pool.signers()[0]?.lastError !== '');
  t.match(pool.signers()[0], { lastError: 'ended by SIGKILL' });
});

test('a job is given up when two signers crash on it, and not when two are killed', async (t) => {
  const { pool, key } = await startPool(t, [token.tokenConfig({ signers: 2 })], 2);
  const submit = putBack(pool);
  for (const [signal, end] of [
    ['SIGSEGV', { ok: false, error: { code: 'unavailable' } }],
    ['SIGKILL', { ok: true }],
  ] as const) {
    await until(() => pool.signers().every(({ state }) => state === 'ready'));
    for (const { pid } of pool.signers()) process.kill(pid, 'SIGSTOP');
    const { job, outcome } = newJob(key, P256, MESSAGE);
    submit(job);
    for (let deaths = 0; deaths < 2; deaths++) {
      const pid = pool.signers().find(({ inFlight }) => inFlight > 0)?.pid ?? 0;
      process.kill(pid, signal);
      process.kill(pid, 'SIGCONT');
      await until(() => pool.signers().every((signer) => signer.pid !== pid));
    }
    t.match(await outcome, end, signal);
  }
});

test('a wrong PIN costs one login in all, and no signer is started again', async (t) => {
  const pinFile = `${token.pinFile}.wrong`;
  writeFileSync(pinFile, 'wrong-pin-1234', { mode: 0o600 });
  const spy = spyOn(token);
  const lines: string[] = [];
  const pool = newPool(t, [spy.tokenConfig({ signers: 3, pin_file: pinFile })], logTo(lines));
  await until(() => pool.signers().every(({ lastError }) => lastError !== ''));
  t.match(pool.signers(), Array(3).fill({ state: 'dead', pid: 0, lastError: /wrong PIN: C_Login: CKR_PIN_INCORRECT/ }));
  t.equal(spy.calls().C_Login, 1);
  t.match(lines.join(''), /correct the PIN file/);
  t.notMatch(lines.join(''), /wrong-pin-1234/);
  await pool.refreshKeys();
});

test('a PIN that was refused is not tried again, though the signer hangs at its end', async (t) => {
  const failed = encodeFailed({ reason: 'wrong_pin', message: 'C_Login: CKR_PIN_INCORRECT' });
  signersRun(t, `${SPEAKS} hears(${FrameType.pin}); says('${hex(failed)}'); console.error('all is said'); hangs();`);
  const lines: string[] = [];
  const pool = newPool(t, [token.tokenConfig()], logTo(lines));
  await until(() => lines.some((line) => line.includes('all is said')));
  await pool.close(100);
  t.match(pool.signers()[0], { state: 'dead', lastError: 'C_Login: CKR_PIN_INCORRECT' });
});

test('what a signer tells of its keys that it looked at before a refresh is not taken, and it looks until it has them', async (t) => {
  const keysOf = (label: string) => {
    const spki = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
    return hex(encodeKeys(0, { keys: [{ spki, label, id: '01', certificateChain: [] }], warnings: [] }));
  };
  signersRun(
    t,
    `${SPEAKS} hears(${FrameType.pin}); says('${hex(encodeLoggedIn())}'); console.error('has looked');
    while (!fs.existsSync('${token.folder}/refreshed')); says('${keysOf('old')}');
    hears(${FrameType.refresh}); says('${hex(encodeDown({ message: 'not now', badSignature: false }))}');
    hears(${FrameType.recover}); says('${keysOf('new')}'); says('${hex(encodeUp())}'); hears();`,
  );
  const lines: string[] = [];
  const pool = newPool(t, [token.tokenConfig()], logTo(lines));
  const told: string[] = [];
  pool.onKeys = (keys) => told.push(...keys.map(({ label }) => label));
  await until(() => lines.some((line) => line.includes('has looked')));
  await pool.refreshKeys();
  writeFileSync(`${token.folder}/refreshed`, '');
  await until(() => told.length > 0);
  t.same(told, ['new']);
  await until(() => pool.signers()[0]?.state === 'ready');
});

test('a signature that does not verify is not returned, and its token is out of use', async (t) => {
  // The public key object of another key stands at the id of a private key: what a token restored wrongly looks like.
  const token = tokenOf(t, { keys: [{ label: 'private', type: 'p256', id: '01', publicObject: false }] });
  token.add({ keys: [{ label: 'public', type: 'p256', id: '01', privateObject: false }] });
  const { pool, key } = await startPool(t, [token.tokenConfig({ signers: 2 })]);
  const outcome = await sign(pool, newJob(key, P256, MESSAGE));
  t.match(outcome, { ok: false, error: { code: 'token_failed', message: /does not verify/ } });
  await until(() => pool.signers().every(({ state }) => state === 'dead'));
  t.match(pool.signers()[0], { lastError: /quarantined: key "private"/ });
  t.notOk(pool.holds(key.key.spkiSha256));
  t.match(await sign(pool, newJob(key, P256, MESSAGE)), { ok: false, error: { code: 'unavailable' } });
});

test('a signer that hangs is killed and replaced, and its jobs go to another', async (t) => {
  const { pool, key } = await startPool(t, [token.tokenConfig({ sign_hang_ms: 2_000 })]);
  const stuck = pool.signers()[0]?.pid ?? 0;
  process.kill(stuck, 'SIGSTOP');
  const jobs = [newJob(key, P256, MESSAGE), newJob(key, P256, MESSAGE)];
  for (const { job } of jobs) t.ok(pool.offer(job));
  t.notOk(pool.offer(newJob(key, P256, MESSAGE).job), 'no third job lies at a signer');
  putBack(pool);
  for (const { outcome, job } of jobs) {
    t.ok((await outcome).ok);
    t.equal(job.attempts, 2);
  }
  t.match(pool.signers()[0], { lastError: /no signature after 2000 ms/, restarts: 1 });
});

test('a job that loses its second signer is answered unavailable', async (t) => {
  const { pool, key } = await startPool(t, [token.tokenConfig()]);
  const pid = pool.signers()[0]?.pid ?? 0;
  putBack(pool);
  process.kill(pid, 'SIGSTOP');
  const { job, outcome } = newJob(key, P256, MESSAGE);
  job.attempts = 1;
  t.ok(pool.offer(job));
  process.kill(pid, 'SIGSEGV');
  process.kill(pid, 'SIGCONT');
  t.match(await outcome, { ok: false, error: { code: 'unavailable' } });
});

test('new and deleted keys are seen after a refresh by every signer', async (t) => {
  const token = tokenOf(t, { keys: [{ label: 'old', type: 'p256' }] });
  const { pool, key } = await startPool(t, [token.tokenConfig({ signers: 2 })]);
  await until(() => pool.signers().every(({ state }) => state === 'ready'));
  let keys: readonly ServedKey[] = [];
  pool.onKeys = (now) => {
    keys = now;
  };
  token.add({ keys: [{ label: 'new', type: 'ed25519' }] });
  token.destroy('old');
  await pool.refreshKeys();
  t.same(
    keys.map(({ label }) => label),
    ['new'],
  );
  t.notOk(pool.holds(key.key.spkiSha256));
  const added = keys[0];
  if (!added) throw new Error('no key');
  const jobs = [1, 2, 3, 4].map(() => newJob(added, named('ed25519'), MESSAGE));
  for (const { job } of jobs) t.ok(pool.offer(job), 'both signers have it');
  for (const { outcome } of jobs) t.ok((await outcome).ok);
});

test('two tokens with the same key serve it together', async (t) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }) as string;
  const tokens = ['left', 'right'].map((label) => tokenOf(t, { label, keys: [{ label: `at ${label}`, pem }] }));
  const { pool, key } = await startPool(
    t,
    tokens.map((token) => token.tokenConfig()),
    2,
  );
  t.match(key, { label: 'at left', tokens: ['left', 'right'] });
  t.same(
    [['left'], ['left', 'right'], ['other']].map((tokens) => pool.readySessions(tokens)),
    [1, 2, 0],
  );
  process.kill(pool.signers()[0]?.pid ?? 0, 'SIGKILL');
  await until(() => pool.signers()[0]?.restarts === 1);
  t.ok((await sign(pool, newJob(key, P256, MESSAGE))).ok);
});

test('a token that is not there is tried again until it is, with a clear error', async (t) => {
  const pool = newPool(t, [token.tokenConfig({ token_label: 'missing' })]);
  await until(() => (pool.signers()[0]?.restarts ?? 0) >= 2);
  t.match(pool.signers()[0], { lastError: /expected one token "missing"; 0 fit of those there are: "test" \(serial / });
});

test('closing waits for the jobs at the signers, and takes no more', async (t) => {
  const { pool, key } = await startPool(t, [token.tokenConfig()]);
  const jobs = [newJob(key, P256, MESSAGE), newJob(key, P256, MESSAGE)];
  for (const { job } of jobs) t.ok(pool.offer(job));
  const pid = pool.signers()[0]?.pid ?? 0;
  const closed = pool.close(5000);
  t.notOk(pool.offer(newJob(key, P256, MESSAGE).job));
  await closed;
  for (const { outcome } of jobs) t.ok((await outcome).ok);
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});

test('closing kills a signer that does not end in time and answers its jobs', async (t) => {
  const { pool, key } = await startPool(t, [token.tokenConfig()]);
  const pid = pool.signers()[0]?.pid ?? 0;
  process.kill(pid, 'SIGSTOP');
  const { job, outcome } = newJob(key, P256, MESSAGE);
  t.ok(pool.offer(job));
  await pool.close(100);
  t.match(await outcome, { ok: false, error: { code: 'unavailable' } });
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});

test('a listener that throws does not end the pool', async (t) => {
  const lines: string[] = [];
  const { pool, key } = await startPool(t, [token.tokenConfig()], 1, logTo(lines));
  pool.onRoom = () => {
    throw new Error('listener');
  };
  t.ok((await sign(pool, newJob(key, P256, MESSAGE))).ok);
  t.ok((await sign(pool, newJob(key, P256, MESSAGE))).ok);
  t.match(lines.join(''), /a listener of the pool failed/);
});

test('the PIN is in no argument, environment or log of a signer', async (t) => {
  const lines: string[] = [];
  process.env.SIGNET_TEST_OF_THE_FRONT = 'not for signers';
  t.teardown(() => delete process.env.SIGNET_TEST_OF_THE_FRONT);
  const { pool } = await startPool(t, [token.tokenConfig()], 1, logTo(lines));
  const pid = pool.signers()[0]?.pid;
  const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  t.match(commandLine, /signer/);
  t.notMatch(commandLine + lines.join(''), new RegExp(token.pin));
  // A signer's memory and environment are root's alone to read, even if it runs as this user (PR_SET_DUMPABLE).
  if (process.getuid?.() !== 0) return t.throws(() => readFileSync(`/proc/${pid}/environ`), { code: 'EACCES' });
  const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
  t.notMatch(environment, new RegExp(token.pin));
  t.notMatch(environment, /not for signers/);
  t.match(environment, new RegExp(`SOFTHSM2_CONF=${token.conf}`));
});

/** Signers run this instead. */
function signersRun(t: Test, script: string): void {
  const { spawn } = childProcess;
  const useInstead = (changed: typeof spawn) => {
    childProcess.spawn = changed;
    syncBuiltinESMExports();
  };
  t.teardown(() => useInstead(spawn));
  useInstead(((program: string, _: string[], options: SpawnOptions) =>
    spawn(program, ['-e', script], options)) as typeof spawn);
}

function named(name: string) {
  const algorithm = algorithmNamed(name);
  if (!algorithm) throw new Error(`no algorithm ${name}`);
  return algorithm;
}
