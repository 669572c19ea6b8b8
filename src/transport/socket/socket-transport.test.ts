import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { FAKE_SIGNATURE, FakeSigning } from '../../../test/fixtures/fake-signing.js';
import { limitsWith } from '../../../test/fixtures/limits.js';
import { framed, SocketClient, signRequest } from '../../../test/fixtures/socket-client.js';
import { until } from '../../../test/fixtures/until.js';
import type { Limits } from '../../config/schema.js';
import { SignetError } from '../../errors.js';
import { ErrorCode, type SignStreamResponse } from '../../gen/signet/v1/sign.js';
import { GO_AWAY_CROSSING_MS } from '../conversation.js';
import { startSocketTransport } from './socket-transport.js';

const SELF = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, pid: process.pid };

async function start(t: Test, limits: Partial<Limits> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'signet-socket-'));
  const path = join(folder, 'web.sock');
  const signing = new FakeSigning();
  const transport = await startSocketTransport({
    sockets: [{ path, mode: '0600', role: 'web' }],
    limits: limitsWith(limits),
    signing,
    log: pino({ level: 'silent' }),
    peerCredentials: () => SELF,
  });
  t.teardown(() => {
    transport.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { path, signing, transport };
}

/** The Error of a frame, or undefined. */
function errorOf(frame: SignStreamResponse | undefined) {
  return frame?.body?.$case === 'error' ? frame.body.value : undefined;
}

async function connectionFault(client: SocketClient) {
  await client.closed();
  const last = client.frames.at(-1);
  return last?.id === 0 ? errorOf(last) : undefined;
}

t.test('a Hello is answered with the version and the limits that hold', async (t) => {
  const { path } = await start(t, { in_flight_per_connection_max: 12, sign_timeout_ms: 3_000 });
  const client = await SocketClient.hello(path, 9);
  t.match(client.frames[0], {
    id: 1,
    body: { value: { version: 1, inFlightMax: 12, frameBytesMax: 65_536, timeoutUsMax: 3_000_000 } },
  });
  client.close();
});

t.test(
  'a request in the same write as the Hello is answered, and the client is the one that the policy named',
  async (t) => {
    const { path, signing } = await start(t);
    signing.hold = true;
    const client = await SocketClient.connect(path);
    client.send(
      { id: 1, body: { $case: 'hello', value: { version: 1, agent: 'x' } } },
      { id: 2, body: { $case: 'sign', value: signRequest() } },
    );
    await signing.heldAtLeast(1);
    t.match(signing.held[0]?.client, { caller: { kind: 'unix', role: 'web', ...SELF }, principal: `web:${SELF.uid}` });
    t.same(signing.held[0]?.request, signRequest());
    signing.held[0]?.answer();
    t.match(await client.answer(2), {
      body: { $case: 'sign', value: { signature: FAKE_SIGNATURE, queueUs: 7, tokenUs: 11 } },
    });
    client.close();
  },
);

t.test('answers come in the order in which they are ready', async (t) => {
  const { path, signing } = await start(t);
  signing.hold = true;
  const client = await SocketClient.hello(path);
  for (const id of [10, 11, 12]) client.sign(id);
  await signing.heldAtLeast(3);
  for (const index of [2, 0, 1]) signing.held[index]?.answer();
  await client.answer(11);
  t.same(
    client.frames.slice(1).map((frame) => frame.id),
    [12, 10, 11],
  );
  client.close();
});

t.test('an error goes to the caller with its code and its sentence, cut to 256 bytes', async (t) => {
  const { path, signing } = await start(t);
  const error = new SignetError('token_failed', `é${'x'.repeat(300)}`);
  signing.outcome = () => ({ ok: false, error, queueUs: 0, tokenUs: 0 });
  const client = await SocketClient.hello(path);
  client.sign(5);
  const got = errorOf(await client.answer(5));
  t.equal(got?.code, ErrorCode.ERROR_CODE_TOKEN_FAILED);
  t.match(got?.message, /^éx+\.\.\.$/);
  t.equal(Buffer.byteLength(got?.message ?? ''), 256);
  client.close();
});

t.test('one request more than may be in flight is refused, and there is room again after an answer', async (t) => {
  const { path, signing } = await start(t, { in_flight_per_connection_max: 2 });
  signing.hold = true;
  const client = await SocketClient.hello(path);
  for (const id of [2, 3, 4]) client.sign(id);
  t.equal(errorOf(await client.answer(4))?.code, ErrorCode.ERROR_CODE_RESOURCE_EXHAUSTED);
  signing.held[0]?.answer();
  await client.answer(2);
  client.sign(5);
  await signing.heldAtLeast(3);
  t.equal(signing.held.length, 3);
  client.close();
});

t.test('a cancelled request is answered with CANCELLED; a cancel that crossed its answer does nothing', async (t) => {
  const { path, signing } = await start(t);
  signing.hold = true;
  const client = await SocketClient.hello(path);
  client.sign(7);
  client.send({ id: 7, body: { $case: 'cancel', value: {} } }, { id: 99, body: { $case: 'cancel', value: {} } });
  t.equal(errorOf(await client.answer(7))?.code, ErrorCode.ERROR_CODE_CANCELLED);
  t.equal(signing.held[0]?.cancelled, true);
  t.equal(client.ended, false);
  client.close();
});

t.test('a Ping is answered with a Pong of the same id', async (t) => {
  const { path } = await start(t);
  const client = await SocketClient.hello(path);
  client.send({ id: 77, body: { $case: 'ping', value: {} } });
  t.equal((await client.answer(77)).body?.$case, 'pong');
  client.close();
});

t.test('what a caller had in flight is cancelled when it closes', async (t) => {
  const { path, signing } = await start(t);
  signing.hold = true;
  const client = await SocketClient.hello(path);
  client.sign(2);
  await signing.heldAtLeast(1);
  client.close();
  await t.resolves(until(() => signing.held[0]?.cancelled === true));
});

t.test('a broken rule closes the connection after an Error with id 0 that says what was expected', async (t) => {
  const hello = framed({ id: 1, body: { $case: 'hello', value: { version: 1, agent: '' } } });
  const sign = framed({ id: 2, body: { $case: 'sign', value: signRequest() } });
  const cases: [string, Buffer, RegExp][] = [
    [
      'garbage',
      Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
      /^expected a frame of 1 to 65536 bytes; a length of 1195725856 came/,
    ],
    ['an empty frame', Buffer.alloc(4), /a length of 0 came/],
    ['one byte too long', Buffer.from([0, 1, 0, 1]), /a length of 65537 came/],
    ['no protobuf', Buffer.from([0, 0, 0, 3, 0xff, 0xff, 0xff]), /does not parse/],
    [
      'a field that claims more than the frame holds',
      Buffer.concat([Buffer.from([0, 0, 0, 4, 8, 1, 26, 60]), sign]),
      /does not parse/,
    ],
    [
      'an unknown body',
      Buffer.concat([hello, Buffer.from([0, 0, 0, 5, 8, 9, 0xa2, 6, 0])]),
      /expected a body of hello/,
    ],
    ['no id', framed({ id: 0, body: { $case: 'ping', value: {} } }), /expected an id of 1 or more/],
    ['a request before the Hello', sign, /expected a Hello as the first frame/],
    ['a second Hello', Buffer.concat([hello, hello]), /expected one Hello/],
    [
      'version 0',
      framed({ id: 1, body: { $case: 'hello', value: { version: 0, agent: '' } } }),
      /expected a version of 1/,
    ],
    ['an id twice', Buffer.concat([hello, sign, sign]), /expected an id that is not in flight; 2 came twice/],
  ];
  for (const [name, bytes, expected] of cases) {
    const { path, signing } = await start(t);
    signing.hold = true;
    const client = await SocketClient.connect(path);
    client.socket.write(bytes);
    const fault = await connectionFault(client);
    t.equal(fault?.code, ErrorCode.ERROR_CODE_INVALID_ARGUMENT, name);
    t.match(fault?.message, expected, name);
  }
});

t.test('frames are found however the bytes are cut', async (t) => {
  const { path } = await start(t);
  const client = await SocketClient.hello(path);
  const big = { ...signRequest(), input: { $case: 'message' as const, value: Buffer.alloc(16_384, 5) } };
  const ids = [2, 3, 4, 5];
  const bytes = Buffer.concat(
    ids.map((id) => framed({ id, body: { $case: 'sign', value: id % 2 ? big : signRequest() } })),
  );
  for (let at = 0, step = 1; at < bytes.length; at += step, step = step * 3 + 1) {
    await new Promise<void>((resolve) =>
      client.socket.write(bytes.subarray(at, at + step), () => setImmediate(resolve)),
    );
  }
  for (const id of ids) t.equal((await client.answer(id)).body?.$case, 'sign');
  client.close();
});

t.test('half a frame and then silence is closed, and so is a caller that never says Hello', async (t) => {
  const { path } = await start(t, { frame_timeout_ms: 40, hello_timeout_ms: 40 });
  const half = await SocketClient.hello(path);
  half.socket.write(Buffer.from([0, 0, 1, 0, 8]));
  t.match((await connectionFault(half))?.message, /expected the rest of a frame within 40 ms/);
  const silent = await SocketClient.connect(path);
  t.match((await connectionFault(silent))?.message, /expected a Hello within 40 ms/);
});

t.test('half frames of all callers together are bounded', async (t) => {
  const { path } = await start(t, { buffered_bytes_max: 65_536 });
  const half = Buffer.alloc(40_000);
  half.writeUInt32BE(60_000);
  const first = await SocketClient.hello(path);
  first.socket.write(half);
  const second = await SocketClient.hello(path);
  second.socket.write(half);
  const closed = await Promise.race(
    [first, second].map(async (client) => [client, await connectionFault(client)] as const),
  );
  t.equal(closed[1]?.code, ErrorCode.ERROR_CODE_RESOURCE_EXHAUSTED);
  const other = closed[0] === first ? second : first;
  t.equal(other.ended, false, 'the other one stays');
  const third = await SocketClient.hello(path);
  third.sign(2);
  t.equal((await third.answer(2)).body?.$case, 'sign', 'and whole frames need none of it');
  for (const client of [first, second, third]) client.close();
});

t.test('a caller that does not read its answers is read from no more, and closed in the end', async (t) => {
  const { path, signing } = await start(t, { frame_timeout_ms: 100 });
  const client = await SocketClient.hello(path);
  client.socket.pause();
  signing.outcome = () => ({ ok: true, signature: Buffer.alloc(512), queueUs: 0, tokenUs: 0 });
  let sent = 0;
  await until(() => {
    for (let n = 0; n < 200 && !client.socket.writableNeedDrain; n++) client.sign(2 + sent++);
    return client.socket.destroyed;
  });
  t.ok(sent > 400, 'it could send until its answers filled the sockets');
  const other = await SocketClient.hello(path);
  other.sign(2);
  t.equal((await other.answer(2)).body?.$case, 'sign', 'the service goes on');
  client.close();
  other.close();
});

t.test('connections beyond connections_max are refused, and taken again when one has gone', async (t) => {
  const { path } = await start(t, { connections_max: 1 });
  const first = await SocketClient.hello(path);
  const second = await SocketClient.connect(path);
  await second.closed();
  t.same(second.frames, []);
  first.close();
  await until(async () => {
    const again = await SocketClient.connect(path);
    again.send({ id: 1, body: { $case: 'hello', value: { version: 1, agent: '' } } });
    const taken = await again
      .frame((frame) => frame.id === 1)
      .then(
        () => true,
        () => false,
      );
    again.close();
    return taken;
  });
});

t.test('a drain answers what is in flight, after a GoAway, and then closes', async (t) => {
  const { path, signing, transport } = await start(t);
  signing.hold = true;
  const busy = await SocketClient.hello(path);
  const idle = await SocketClient.hello(path);
  busy.sign(2);
  await signing.heldAtLeast(1);
  const drained = transport.drain(5_000);
  await busy.frame((frame) => frame.body?.$case === 'goAway');
  busy.sign(3);
  await signing.heldAtLeast(2);
  await idle.closed();
  t.equal(idle.frames.at(-1)?.body?.$case, 'goAway');
  await t.rejects(SocketClient.connect(path), 'nobody new is taken');
  busy.sign(4);
  t.equal(errorOf(await busy.answer(4))?.code, ErrorCode.ERROR_CODE_UNAVAILABLE, 'after the time for crossing');
  t.equal(busy.ended, false);
  for (const held of signing.held) held.answer();
  t.equal((await busy.answer(2)).body?.$case, 'sign');
  t.equal((await busy.answer(3)).body?.$case, 'sign', 'a request that crossed the GoAway is answered');
  await drained;
  await busy.closed();
});

t.test('a request on its way is answered, however late the service comes to read it after its GoAway', async (t) => {
  const { path, transport } = await start(t);
  const client = await SocketClient.hello(path);
  const drained = transport.drain(5_000);
  client.sign(2);
  const runsAgainMs = performance.now() + 2 * GO_AWAY_CROSSING_MS;
  while (performance.now() < runsAgainMs);
  t.equal((await client.answer(2)).body?.$case, 'sign');
  await drained;
});

t.test('a service that is replaced by another one costs no request', async (t) => {
  const { path, transport } = await start(t);
  let answered = 0;
  let stop = false;
  const caller = async () => {
    let client = await SocketClient.hello(path);
    for (let id = 2; !stop; id++) {
      if (client.frames.some((frame) => frame.body?.$case === 'goAway')) {
        client.close();
        client = await SocketClient.hello(path);
      }
      client.sign(id);
      const { body } = await client.answer(id);
      if (body?.$case !== 'sign') throw new Error(JSON.stringify(body));
      answered++;
    }
    client.close();
  };
  const callers = Array.from({ length: 8 }, caller);
  await until(() => answered > 50);
  const successor = await startSocketTransport({
    sockets: [{ path, mode: '0600', role: 'web' }],
    limits: limitsWith(),
    signing: new FakeSigning(),
    log: pino({ level: 'silent' }),
    peerCredentials: () => SELF,
  });
  t.teardown(() => successor.close());
  await transport.drain(5_000);
  const atDrain = answered;
  await until(() => answered > atDrain + 50);
  stop = true;
  await t.resolves(Promise.all(callers));
});

t.test('a drain whose time is over cuts off what is left', async (t) => {
  const { path, signing, transport } = await start(t);
  signing.hold = true;
  const client = await SocketClient.hello(path);
  client.sign(2);
  await signing.heldAtLeast(1);
  await transport.drain(20);
  await client.closed();
  t.equal(signing.held[0]?.cancelled, true);
});
