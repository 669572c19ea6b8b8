import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import tap, { type Test, test } from 'tap';
import { createFaultyToken } from '../../test/fixtures/faulty-token.js';
import { createToken, type TestToken } from '../../test/fixtures/softhsm-token.js';
import { until } from '../../test/fixtures/until.js';
import {
  decodeAnswer,
  decodeFailed,
  decodeKeys,
  decodeLogin,
  encodeConfigure,
  encodeJob,
  encodePin,
  encodeRefresh,
  FrameReader,
  FrameType,
  idOf,
  type SignerConfiguration,
  typeOf,
} from '../pool/messages.js';
import { spawnSigner } from '../pool/signer-process.js';
import { openSocket } from '../read-in-place.js';

const token = createToken({ keys: [{ label: 'p256', type: 'p256' }] });
tap.teardown(() => token.remove());
const CONFIGURATION: SignerConfiguration = {
  module: token.module,
  tokenLabel: token.label,
  verify: 'sample',
  busyPollUs: 200,
  tokenBusyMs: 100,
};
/** Far more than it takes, also on a busy machine. */
const COMES_MS_MAX = 30_000;
/** A shared library, but no PKCS#11 module. */
const ADDON = fileURLToPath(new URL('../../build/signet_addon.node', import.meta.url));
const PIN = () => Buffer.from(token.pin);

test('a signer reports its keys first and ends with status 0 when the front closes', async (t) => {
  const { child, socket, next } = start(t);
  socket.write(encodeConfigure(CONFIGURATION));
  const login = await next();
  t.equal(typeOf(login), FrameType.login);
  t.match(decodeLogin(login), { serial: /^[0-9a-f]{16}$/, finalTry: false, locked: false });
  socket.write(encodePin(PIN()));
  t.equal(typeOf(await next()), FrameType.loggedIn);
  const keys = await next();
  t.equal(typeOf(keys), FrameType.keys);
  t.equal(idOf(keys), 0);
  t.match(decodeKeys(keys), { keys: [{ label: 'p256', id: '01', certificateChain: [] }], warnings: [] });
  socket.end();
  t.same(await once(child, 'exit'), [0, null]);
});

test('a signer that is told nothing ends with its front', async (t) => {
  const { child, socket } = start(t);
  socket.end();
  t.same(await once(child, 'exit'), [0, null]);
});

test('frames that come in pieces, or many at once, are all answered', async (t) => {
  const { socket, next } = start(t);
  for (const byte of encodeConfigure(CONFIGURATION)) socket.write(Buffer.of(byte));
  await next();
  for (const byte of encodePin(PIN())) socket.write(Buffer.of(byte));
  await next();
  const spki = Buffer.from(decodeKeys(await next()).keys[0]?.spki ?? '', 'base64');
  const unknown = 'ab'.repeat(32);
  t.ok(spki.length > 0);
  socket.write(
    Buffer.concat([
      encodeRefresh(7),
      encodeJob(8, 0x0403, false, unknown, Buffer.alloc(16_384)),
      encodeJob(9, 0x0403, false, unknown, Buffer.alloc(1)),
    ]),
  );
  t.same([idOf(await next()), idOf(await next()), idOf(await next())], [7, 8, 9]);
});

test('a job whose caller has stopped waiting does not reach the token', async (t) => {
  const { socket, next, key } = await startReady(t);
  const job = (id: number, deadlineMs: number) => encodeJob(id, 0x0403, true, key, Buffer.alloc(32, 1), deadlineMs);
  socket.write(Buffer.concat([job(1, performance.now() - 50), job(2, performance.now() + 60_000)]));
  t.match(decodeAnswer(await next()), { id: 1, status: 'expired', tokenUs: 0 });
  t.match(decodeAnswer(await next()), { id: 2, status: 'ok' });
});

test('jobs that come together, and those that come meanwhile, are each answered once', async (t) => {
  const { socket, next, key } = await startReady(t);
  const jobs = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => encodeJob(from + i, 0x0403, true, key, Buffer.alloc(32, 1)));
  const sent = Buffer.concat([...jobs(1, 40), encodeRefresh(40), ...jobs(41, 80)]);
  // Cut where no frame ends.
  socket.write(sent.subarray(0, 1_001));
  const answered = [idOf(await next())];
  socket.write(sent.subarray(1_001));
  while (answered.length < 79) answered.push(idOf(await next()));
  t.same(
    answered,
    Array.from({ length: 79 }, (_, i) => i + 1),
  );
});

test('a signer of several sessions ends with its front, at once if they sign', async (t) => {
  const slow = createFaultyToken({ keys: [{ label: 'p256', type: 'p256' }] });
  t.teardown(() => slow.remove());
  for (const [jobs, end] of [
    [0, [0, null]],
    [8, [null, 'SIGKILL']],
  ] as const) {
    const { child, socket, key } = await startReady(t, slow, { sessions: 4 });
    // Nobody waits for it.
    slow.order({ latencyUs: 30_000_000 });
    const job = (id: number) => encodeJob(id, 0x0403, true, key, Buffer.alloc(32, 1));
    socket.write(Buffer.concat(Array.from({ length: jobs }, (_, id) => job(id + 1))));
    await until(() => slow.counters('C_Sign').calls === Math.min(jobs, 4), COMES_MS_MAX);
    socket.destroy();
    t.same(await once(child, 'exit'), end, `${jobs} jobs`);
    slow.order({ clear: true });
  }
});

for (const [name, change, reason, message] of [
  ['a module that is not there', { module: '/nonexistent.so' }, 'token', /^load \/nonexistent.so: .*No such file/],
  ['a token that is not there', { tokenLabel: 'none' }, 'token', /^expected one token "none"; 0 fit/],
  ['a library that is no module', { module: ADDON }, 'token', /C_GetFunctionList/],
] as const) {
  test(`${name} is reported and ends the signer`, async (t) => {
    const { child, socket, next } = start(t);
    const exit = once(child, 'exit');
    socket.write(encodeConfigure({ ...CONFIGURATION, ...change }));
    const failed = await next();
    t.equal(typeOf(failed), FrameType.failed);
    t.match(decodeFailed(failed), { reason, message });
    t.same(await exit, [1, null]);
  });
}

test('a wrong PIN is reported as such', async (t) => {
  const { socket, next } = start(t);
  socket.write(Buffer.concat([encodeConfigure(CONFIGURATION), encodePin(Buffer.from('wrong'))]));
  t.equal(typeOf(await next()), FrameType.login);
  t.match(decodeFailed(await next()), { reason: 'wrong_pin', message: 'C_Login: CKR_PIN_INCORRECT' });
});

test('a signer that is given no PIN ends without a login', async (t) => {
  const { child, socket, next } = start(t);
  socket.write(encodeConfigure(CONFIGURATION));
  await next();
  const exit = once(child, 'exit');
  socket.end();
  t.same(await exit, [0, null]);
});

test('a frame that is none of the contract ends the signer with a reason', async (t) => {
  const { child, socket, next } = start(t);
  const exit = once(child, 'exit');
  await logIn({ socket, next });
  await next();
  socket.write(Buffer.from('ffffffff00', 'hex'));
  t.match(decodeFailed(await next()), { reason: 'token', message: /expected a frame of 9 to/ });
  t.same(await exit, [1, null]);
});

test('the token is found by its serial number and by its slot too', async (t) => {
  const { tokenLabel: _, ...other } = CONFIGURATION;
  const first = start(t);
  first.socket.write(encodeConfigure({ ...other, tokenSerial: 'none' }));
  const { message } = decodeFailed(await first.next());
  const tokenSerial = /"test" \(serial (\w+)\)/.exec(message)?.[1] ?? '';
  // SoftHSM makes the number of the slot of the last digits of the serial number.
  const slot = Number.parseInt(tokenSerial.slice(-8), 16) & 0x7fffffff;
  for (const choice of [{ tokenSerial }, { slot }]) {
    const { socket, next } = start(t);
    await logIn({ socket, next }, { ...other, ...choice });
    t.match(decodeKeys(await next()), { keys: [{ label: 'p256' }] }, JSON.stringify(choice));
  }
});

test('a signer that hangs does not outlive its front', async (t) => {
  // A front of its own, which stops its signer as a hanging module would, says its pid and is then killed.
  const program = `
    import { spawnSigner } from './src/pool/signer-process.ts';
    import { encodeConfigure, encodePin, FrameReader, FrameType, typeOf } from './src/pool/messages.ts';
    import { openSocket } from './src/read-in-place.ts';
    const { child, fd } = spawnSigner({ environment: { SOFTHSM2_CONF: process.env.SOFTHSM2_CONF } });
    const reader = new FrameReader();
    const socket = openSocket(fd, (chunk) => reader.push(chunk, (frame) => {
      if (typeOf(frame) === FrameType.keys) { child.kill('SIGSTOP'); console.log(child.pid); }
    }));
    socket.write(Buffer.concat([
      encodeConfigure(${JSON.stringify(CONFIGURATION)}),
      encodePin(Buffer.from('${token.pin}')),
    ]));`;
  const front = spawn(
    process.execPath,
    [`--import=${import.meta.resolve('tsx')}`, '--input-type=module', '-e', program],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, SOFTHSM2_CONF: token.conf } },
  );
  const [line] = (await once(front.stdout, 'data')) as [Buffer];
  const signer = Number(line.toString());
  t.ok(isRunning(signer));
  front.kill('SIGKILL');
  await once(front, 'exit');
  const end = performance.now() + 5000;
  while (isRunning(signer) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
  t.notOk(isRunning(signer));
});

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A zombie that its new parent has not yet buried does not run. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Gives a signer its PIN when it asks for that; what comes next are its keys. */
async function logIn(
  { socket, next }: Pick<ReturnType<typeof start>, 'socket' | 'next'>,
  configuration = CONFIGURATION,
) {
  socket.write(encodeConfigure(configuration));
  await next();
  socket.write(encodePin(PIN()));
  await next();
}

/** One that has logged in, and the SPKI SHA-256 of its key. */
async function startReady(t: Test, of: TestToken = token, changes: Partial<SignerConfiguration> = {}) {
  const { child, socket, next } = start(t, of);
  const { module, label: tokenLabel, pin } = of;
  const configuration = { ...CONFIGURATION, module, tokenLabel, ...changes };
  socket.write(Buffer.concat([encodeConfigure(configuration), encodePin(Buffer.from(pin))]));
  t.same([typeOf(await next()), typeOf(await next())], [FrameType.login, FrameType.loggedIn]);
  const spki = Buffer.from(decodeKeys(await next()).keys[0]?.spki ?? '', 'base64');
  return { child, socket, next, key: createHash('sha256').update(spki).digest('hex') };
}

/** A signer, and what it sends, frame by frame. */
function start(t: Test, of: TestToken = token): { child: ChildProcess; socket: Socket; next(): Promise<Buffer> } {
  const { child, fd } = spawnSigner(of.tokenConfig());
  t.teardown(() => child.kill('SIGKILL'));
  const frames: Buffer[] = [];
  const reader = new FrameReader();
  let wake = () => {};
  const socket = openSocket(fd, (chunk) => {
    reader.push(chunk, (frame) => frames.push(Buffer.from(frame)));
    wake();
  });
  socket.on('error', () => {});
  const next = async () => {
    while (!frames[0]) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return frames.shift() as Buffer;
  };
  return { child, socket, next };
}
