import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ClientDuplexStream, status } from '@grpc/grpc-js';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { TestAuthority } from '../../../test/fixtures/certificates.js';
import { FAKE_SIGNATURE, FakeSigning } from '../../../test/fixtures/fake-signing.js';
import { grpcClient, unary } from '../../../test/fixtures/grpc-client.js';
import { limitsWith } from '../../../test/fixtures/limits.js';
import { framed, signRequest } from '../../../test/fixtures/socket-client.js';
import type { Limits, TcpConfig } from '../../config/schema.js';
import { SignetError } from '../../errors.js';
import { HealthClient, HealthCheckResponse_ServingStatus as Serving } from '../../gen/grpc/health/v1/health.js';
import { KeyServiceClient } from '../../gen/signet/v1/key_service.js';
import { type GetKeyResponse, type Key, KeyType, type ListKeysResponse } from '../../gen/signet/v1/keys.js';
import {
  ErrorCode,
  type SignResponse,
  type SignStreamRequest,
  type SignStreamResponse,
} from '../../gen/signet/v1/sign.js';
import { SigningServiceClient } from '../../gen/signet/v1/signing_service.js';
import { startGrpcTransport } from './grpc-transport.js';

interface Options {
  limits?: Partial<Limits>;
  tcp?: TcpConfig[];
  descriptorFile?: string;
}

async function start(t: Test, { limits = {}, tcp = [], descriptorFile = '/none' }: Options = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'signet-grpc-'));
  const path = join(folder, 's');
  const signing = new FakeSigning();
  const health = {
    up: true,
    serving: () => health.up,
    onChange: (listener: () => void) => (health.changed = listener),
    changed: () => {},
  };
  let connections = 0;
  const transport = await startGrpcTransport({
    unix: [{ path, mode: '0600', role: 'app' }],
    tcp,
    limits: limitsWith(limits),
    signing,
    health,
    log: pino({ level: 'silent' }),
    // Every connection comes from another user, so that it shows whose calls are whose.
    peerCredentials: () => ({ uid: 1000 + ++connections, gid: 5, pid: 6 }),
    descriptorFile,
  });
  t.teardown(() => {
    transport.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { address: `unix:${path}`, path, signing, health, transport };
}

function folder(t: Test): string {
  const made = mkdtempSync(join(tmpdir(), 'signet-grpc-files-'));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A stream whose answers are kept. */
function open(client: SigningServiceClient) {
  const stream: ClientDuplexStream<SignStreamRequest, SignStreamResponse> = client.signStream();
  const frames: SignStreamResponse[] = [];
  let ended = false;
  stream.on('data', (frame) => frames.push(frame));
  stream.on('error', () => undefined);
  stream.on('close', () => {
    ended = true;
  });
  stream.on('end', () => {
    ended = true;
  });
  return {
    stream,
    frames,
    sign: (id: number) => stream.write({ id, body: { $case: 'sign', value: signRequest() } }),
    ended: () => until(() => ended),
    frame: async (fits: (frame: SignStreamResponse) => boolean) => {
      await until(() => frames.some(fits) || ended);
      return frames.find(fits);
    },
  };
}

t.test('Sign makes one signature', async (t) => {
  const { address, signing } = await start(t);
  const client = grpcClient(t, SigningServiceClient, address);
  const response = await unary((...call) => client.sign(signRequest(), ...call));
  t.same(response, { signature: FAKE_SIGNATURE, queueUs: 7, tokenUs: 11 });
  t.match(signing.callers, [{ kind: 'unix', role: 'app', uid: 1001, gid: 5, pid: 6 }]);
});

t.test('the calls of two connections are told apart', async (t) => {
  const { address, signing } = await start(t);
  signing.hold = true;
  const clients = [grpcClient(t, SigningServiceClient, address), grpcClient(t, SigningServiceClient, address)];
  for (const [index, client] of clients.entries()) {
    unary((...call) => client.sign({ ...signRequest(), timeoutUs: index + 1 }, ...call)).catch(() => undefined);
    await signing.heldAtLeast(index + 1);
  }
  unary((...call) => clients[0]?.sign({ ...signRequest(), timeoutUs: 3 }, ...call)).catch(() => undefined);
  await signing.heldAtLeast(3);
  const who = signing.held.map(({ client, request }) => [request.timeoutUs, client.principal]);
  t.same(who, [
    [1, 'app:1001'],
    [2, 'app:1002'],
    [3, 'app:1001'],
  ]);
  t.equal(signing.callers.length, 2, 'a connection is identified once');
});

t.test('every kind of error has its status, and the sentence goes with it', async (t) => {
  const { address, signing } = await start(t);
  const client = grpcClient(t, SigningServiceClient, address);
  const statuses = {
    invalid_argument: status.INVALID_ARGUMENT,
    permission_denied: status.PERMISSION_DENIED,
    resource_exhausted: status.RESOURCE_EXHAUSTED,
    deadline_exceeded: status.DEADLINE_EXCEEDED,
    unavailable: status.UNAVAILABLE,
    token_failed: status.ABORTED,
    cancelled: status.CANCELLED,
    internal: status.INTERNAL,
  } as const;
  for (const [word, code] of Object.entries(statuses)) {
    const error = new SignetError(word as keyof typeof statuses, `because of ${word}`);
    signing.outcome = () => ({ ok: false, error, queueUs: 0, tokenUs: 0 });
    await t.rejects(
      unary((...call) => client.sign(signRequest(), ...call)),
      { code, details: `because of ${word}` },
    );
  }
});

t.test("the earlier of timeout_us and the call's deadline holds", async (t) => {
  const { address, signing } = await start(t);
  signing.hold = true;
  const client = grpcClient(t, SigningServiceClient, address);
  for (const timeoutUs of [0, 100_000_000, 1_000]) {
    unary((...call) => client.sign({ ...signRequest(), timeoutUs }, ...call), 2_000).catch(() => undefined);
    await signing.heldAtLeast(signing.held.length + 1);
  }
  const [none, late, early] = signing.held.map(({ request }) => request.timeoutUs);
  for (const of of [none, late]) t.ok(of !== undefined && of > 500_000 && of <= 2_001_000, `${of}`);
  t.equal(early, 1_000);
});

t.test('a call that its caller cancels is cancelled behind the transport', async (t) => {
  const { address, signing } = await start(t);
  signing.hold = true;
  const client = grpcClient(t, SigningServiceClient, address);
  const call = client.sign(signRequest(), () => undefined);
  await signing.heldAtLeast(1);
  call.cancel();
  await t.resolves(until(() => signing.held[0]?.cancelled === true));
});

t.test('a stream carries the same envelope: Hello, many in flight, answers in any order', async (t) => {
  const { address, signing } = await start(t, { limits: { in_flight_per_connection_max: 3 } });
  signing.hold = true;
  const { stream, frames, frame, sign } = open(grpcClient(t, SigningServiceClient, address));
  stream.write({ id: 1, body: { $case: 'hello', value: { version: 3, agent: 'x' } } });
  t.match(await frame(({ id }) => id === 1), { body: { $case: 'helloAck', value: { version: 1, inFlightMax: 3 } } });
  for (const id of [2, 3, 4, 5]) sign(id);
  await signing.heldAtLeast(3);
  t.match(await frame(({ id }) => id === 5), { body: { value: { code: ErrorCode.ERROR_CODE_RESOURCE_EXHAUSTED } } });
  for (const index of [2, 0, 1]) signing.held[index]?.answer();
  await frame(({ id }) => id === 3);
  t.same(
    frames.slice(2).map(({ id }) => id),
    [4, 2, 3],
  );
  stream.cancel();
});

t.test('the streams of one connection share its limit of requests in flight', async (t) => {
  const { address, signing } = await start(t, { limits: { in_flight_per_connection_max: 2 } });
  signing.hold = true;
  const client = grpcClient(t, SigningServiceClient, address);
  const [first, second] = [open(client), open(client)];
  first.sign(1);
  first.sign(2);
  await signing.heldAtLeast(2);
  second.sign(1);
  t.match(await second.frame(() => true), {
    id: 1,
    body: { value: { code: ErrorCode.ERROR_CODE_RESOURCE_EXHAUSTED } },
  });
  first.stream.cancel();
  await until(() => signing.held.every(({ cancelled }) => cancelled));
  second.sign(2);
  await t.resolves(signing.heldAtLeast(3), 'and what a cancelled stream had in flight is given back');
  second.stream.cancel();
});

t.test('a stream without a Hello works; a broken rule ends it after an Error with id 0', async (t) => {
  const { address } = await start(t);
  const { stream, frames, frame, sign, ended } = open(grpcClient(t, SigningServiceClient, address));
  sign(9);
  t.equal((await frame(({ id }) => id === 9))?.body?.$case, 'sign');
  stream.write({ id: 0, body: { $case: 'ping', value: {} } });
  await ended();
  t.match(frames.at(-1), { id: 0, body: { value: { message: /^expected an id of 1 or more/ } } });
});

t.test('a caller that has asked its last question still gets its answers', async (t) => {
  const { address, signing } = await start(t);
  signing.hold = true;
  const { stream, frames, sign, ended } = open(grpcClient(t, SigningServiceClient, address));
  sign(1);
  sign(2);
  stream.end();
  await signing.heldAtLeast(2);
  for (const held of signing.held) held.answer();
  await ended();
  t.same(
    frames.map(({ id }) => id),
    [1, 2],
  );
});

t.test('a caller that does not read its answers is asked for no more, and cut off in the end', async (t) => {
  const { address, path, signing } = await start(t, { limits: { frame_timeout_ms: 50 } });
  signing.outcome = () => ({ ok: true, signature: Buffer.alloc(512), queueUs: 0, tokenUs: 0 });
  const session = connectHttp2('http://localhost', { createConnection: () => connect(path) });
  t.teardown(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': '/signet.v1.SigningService/SignStream',
    'content-type': 'application/grpc',
  });
  stream.on('error', () => undefined);
  // Without a listener node reads the answers and throws them away.
  stream.on('response', () => undefined);
  let sent = 0;
  await until(() => {
    for (let n = 0; n < 200 && !stream.destroyed && !stream.writableNeedDrain; n++) stream.write(grpcMessage(++sent));
    return stream.destroyed || stream.closed;
  });
  t.ok(sent > 400, `${sent} were sent`);
  const other = grpcClient(t, SigningServiceClient, address);
  t.match(await unary((...call) => other.sign(signRequest(), ...call)), { queueUs: 0 }, 'the service goes on');
});

t.test('a drain answers what is in flight, unary and stream, and loses nothing', async (t) => {
  const { address, signing, transport, health } = await start(t);
  signing.hold = true;
  const client = grpcClient(t, SigningServiceClient, address);
  const one = unary<SignResponse>((...call) => client.sign(signRequest(), ...call));
  const many = open(client);
  for (const id of [1, 2, 3]) many.sign(id);
  const watch = grpcClient(t, HealthClient, address).watch({ service: '' });
  const seen: Serving[] = [];
  watch.on('data', (response) => seen.push(response.status)).on('error', () => undefined);
  await signing.heldAtLeast(4);
  await until(() => seen.length === 1);
  const drained = transport.drain(5_000);
  await many.frame(({ body }) => body?.$case === 'goAway');
  for (const held of signing.held) held.answer();
  t.same((await one).signature, FAKE_SIGNATURE);
  await many.ended();
  t.same(
    many.frames.map(({ id, body }) => [id, body?.$case]),
    [
      [0, 'goAway'],
      [1, 'sign'],
      [2, 'sign'],
      [3, 'sign'],
    ],
  );
  await drained;
  t.same(seen, [Serving.SERVING, Serving.NOT_SERVING]);
  t.equal(health.up, true);
  await t.rejects(
    unary((...call) => client.sign(signRequest(), ...call), 200),
    'nobody is there any more',
  );
});

t.test('a drain whose time is over cuts off what is left', async (t) => {
  const { address, signing, transport } = await start(t);
  signing.hold = true;
  const client = grpcClient(t, SigningServiceClient, address);
  const call = unary((...c) => client.sign(signRequest(), ...c));
  call.catch(() => undefined);
  await signing.heldAtLeast(1);
  await transport.drain(30);
  await t.rejects(call, { code: status.UNAVAILABLE });
});

t.test('health is told per service and as it changes', async (t) => {
  const { address, health } = await start(t);
  const client = grpcClient(t, HealthClient, address);
  const check = (service: string) => unary((...call) => client.check({ service }, ...call));
  t.same(await check(''), { status: Serving.SERVING });
  t.same(await check('signet.v1.SigningService'), { status: Serving.SERVING });
  await t.rejects(check('nobody'), { code: status.NOT_FOUND });
  const seen: Serving[] = [];
  const watch = client.watch({ service: 'signet.v1.KeyService' });
  watch.on('data', (response) => seen.push(response.status)).on('error', () => undefined);
  await until(() => seen.length === 1);
  for (const up of [true, false, false, true]) {
    health.up = up;
    health.changed();
  }
  await until(() => seen.length === 3);
  t.same(seen, [Serving.SERVING, Serving.NOT_SERVING, Serving.SERVING]);
  health.up = false;
  t.same(await check(''), { status: Serving.NOT_SERVING });
  watch.cancel();
});

t.test('keys are listed page by page and found by each of their names', async (t) => {
  const { address, signing } = await start(t);
  signing.keys = Array.from({ length: 250 }, (_, n) => key(n));
  const client = grpcClient(t, KeyServiceClient, address);
  const seen: string[] = [];
  const sizes: number[] = [];
  for (let pageToken = ''; seen.length === 0 || pageToken !== ''; ) {
    const page = await unary<ListKeysResponse>((...call) => client.listKeys({ pageSize: 0, pageToken }, ...call));
    sizes.push(page.keys.length);
    seen.push(...page.keys.map(({ label }) => label));
    pageToken = page.nextPageToken;
  }
  t.same(sizes, [100, 100, 50]);
  t.same(
    seen,
    signing.keys.map(({ label }) => label),
  );
  const get = (name: Parameters<typeof client.getKey>[0]['name']) =>
    unary<GetKeyResponse>((...call) => client.getKey({ name }, ...call));
  t.equal((await get({ $case: 'label', value: 'key-7' })).key?.label, 'key-7');
  t.equal((await get({ $case: 'id', value: Buffer.from([9]) })).key?.label, 'key-9');
  t.equal((await get({ $case: 'spkiSha256', value: key(8).spkiSha256 })).key?.label, 'key-8');
  await t.rejects(get({ $case: 'label', value: 'unknown' }), { code: status.PERMISSION_DENIED });
  await t.rejects(get(undefined), { code: status.INVALID_ARGUMENT });
  signing.keys = [key(1), { ...key(2), label: 'key-1' }];
  await t.rejects(get({ $case: 'label', value: 'key-1' }), {
    code: status.INVALID_ARGUMENT,
    details: /2 have this label/,
  });
  await t.rejects(
    unary<ListKeysResponse>((...call) => client.listKeys({ pageSize: 1, pageToken: 'x' }, ...call)),
    { code: status.INVALID_ARGUMENT },
  );
});

t.test('a page of keys with long certificates fits into what a client takes', async (t) => {
  const { address, signing } = await start(t);
  signing.keys = Array.from({ length: 60 }, (_, n) => ({
    ...key(n),
    certificateChain: [Buffer.alloc(16_384), Buffer.alloc(80_000)],
  }));
  const client = grpcClient(t, KeyServiceClient, address);
  const page = await unary<ListKeysResponse>((...call) => client.listKeys({ pageSize: 1_000, pageToken: '' }, ...call));
  t.ok(page.keys.length > 10 && page.keys.length < 30, `${page.keys.length}`);
  t.not(page.nextPageToken, '');
});

t.test('a message over 64 KiB is refused', async (t) => {
  const { address, signing } = await start(t);
  signing.hold = true;
  const client = grpcClient(t, SigningServiceClient, address);
  const request = { ...signRequest(), input: { $case: 'message' as const, value: Buffer.alloc(65_536) } };
  await t.rejects(
    unary((...call) => client.sign(request, ...call)),
    { code: status.RESOURCE_EXHAUSTED },
  );
  t.same(signing.held, []);
});

t.test('a call whose message never comes is ended', async (t) => {
  const { path } = await start(t, { limits: { frame_timeout_ms: 40 } });
  const session = connectHttp2('http://localhost', { createConnection: () => connect(path) });
  t.teardown(() => session.destroy());
  const stream = session.request(
    {
      ':method': 'POST',
      ':path': '/signet.v1.SigningService/Sign',
      'content-type': 'application/grpc',
      te: 'trailers',
    },
    { endStream: false },
  );
  stream.write(Buffer.from([0, 0, 0, 1]));
  const [headers] = await once(stream, 'response');
  t.equal(headers['grpc-status'], `${status.DEADLINE_EXCEEDED}`);
});

t.test('connections beyond connections_max are refused', async (t) => {
  const { address, path } = await start(t, { limits: { connections_max: 1 } });
  const client = grpcClient(t, SigningServiceClient, address);
  await unary((...call) => client.sign(signRequest(), ...call));
  const refused = connect(path);
  t.same(await once(refused.resume(), 'close'), [false]);
  await t.resolves(unary((...call) => client.sign(signRequest(), ...call)));
});

t.test('reflection tells what there is, with buf curl', async (t) => {
  const descriptorFile = join(folder(t), 'descriptor.binpb');
  await promisify(execFile)('npx', ['buf', 'build', '-o', descriptorFile]);
  const { path } = await start(t, { descriptorFile });
  const { stdout } = await promisify(execFile)('npx', [
    ...['buf', 'curl', '--protocol', 'grpc', '--http2-prior-knowledge', '--unix-socket', path],
    ...['--reflect', '-d', '{"service":"signet.v1.KeyService"}', 'http://localhost/grpc.health.v1.Health/Check'],
  ]);
  t.same(JSON.parse(stdout), { status: 'SERVING' });
});

t.test('over TCP only a caller with a certificate of the CA gets in, and its names are known', async (t) => {
  const files = folder(t);
  const authority = await TestAuthority.create(files, 'ca');
  const stranger = await TestAuthority.create(files, 'stranger');
  const server = await authority.issue('server', 'CN=localhost', [{ type: 'dns', value: 'localhost' }]);
  const caller = await authority.issue('caller', 'CN=web one', [
    { type: 'dns', value: 'web1.example' },
    { type: 'url', value: 'spiffe://example/web' },
  ]);
  const wrong = await stranger.issue('wrong', 'CN=web one', [{ type: 'dns', value: 'web1.example' }]);
  const tcp = {
    host: '127.0.0.1',
    port: 0,
    certificate_file: server.certificateFile,
    key_file: server.keyFile,
    client_ca_file: authority.caFile,
  };
  const { transport, signing } = await start(t, { tcp: [tcp] });
  const address = transport.addresses[1]?.replace('127.0.0.1', 'localhost') ?? '';
  const { caFile } = authority;
  const client = grpcClient(t, SigningServiceClient, address, { caFile, ...caller });
  for (let n = 0; n < 2; n++) await unary((...call) => client.sign(signRequest(), ...call));
  t.match(signing.callers, [
    {
      kind: 'certificate',
      names: ['URI:spiffe://example/web', 'DNS:web1.example', 'CN:web one'],
      remote: /^127\.0\.0\.1:\d+$/,
    },
  ]);
  t.equal(signing.callers.length, 1);
  for (const tls of [{ caFile, ...wrong }, { caFile }]) {
    const refused = grpcClient(t, SigningServiceClient, address, tls);
    await t.rejects(
      unary((...call) => refused.sign(signRequest(), ...call)),
      { code: status.UNAVAILABLE },
    );
  }
  const plain = grpcClient(t, SigningServiceClient, address);
  await t.rejects(
    unary((...call) => plain.sign(signRequest(), ...call)),
    { code: status.UNAVAILABLE },
  );
  t.equal(signing.callers.length, 1, 'nobody else was identified');
});

function key(n: number): Key {
  return {
    label: `key-${n}`,
    id: Buffer.from([n]),
    spkiSha256: Buffer.alloc(32, n),
    type: KeyType.KEY_TYPE_EC,
    bits: 256,
    publicKeyDer: Buffer.alloc(91),
    certificateChain: [],
    schemes: [],
  };
}

/** A SignStreamRequest as gRPC writes it: not compressed, a length of 4 bytes, the message; the same 4 bytes as a frame has. */
function grpcMessage(id: number): Buffer {
  return Buffer.concat([Buffer.alloc(1), framed({ id, body: { $case: 'sign', value: signRequest() } })]);
}

/** Polls until it holds; throws after the deadline. */
async function until(holds: () => boolean, deadlineMs = 5_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error('it did not come to hold');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
