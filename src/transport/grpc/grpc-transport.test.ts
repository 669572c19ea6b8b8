import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { TestAuthority } from '../../../test/fixtures/certificates.js';
import { FAKE_SIGNATURE } from '../../../test/fixtures/fake-signing.js';
import { grpcClient, unary } from '../../../test/fixtures/grpc-client.js';
import { folder, openStream, startGrpc } from '../../../test/fixtures/grpc-transport.js';
import { signRequest } from '../../../test/fixtures/socket-client.js';
import { until } from '../../../test/fixtures/until.js';
import { SignetError } from '../../errors.js';
import { HealthClient, HealthCheckResponse_ServingStatus as Serving } from '../../gen/grpc/health/v1/health.js';
import type { SignResponse } from '../../gen/signet/v1/sign.js';
import { SigningServiceClient } from '../../gen/signet/v1/signing_service.js';

t.test('Sign makes one signature', async (t) => {
  const { address, signing } = await startGrpc(t);
  const client = grpcClient(t, SigningServiceClient, address);
  const response = await unary((...call) => client.sign(signRequest(), ...call));
  t.same(response, { signature: FAKE_SIGNATURE, queueUs: 7, tokenUs: 11 });
  t.match(signing.callers, [{ kind: 'unix', role: 'app', uid: 1001, gid: 5, pid: 6 }]);
});

t.test('the calls of two connections are told apart', async (t) => {
  const { address, signing } = await startGrpc(t);
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
  const { address, signing } = await startGrpc(t);
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
  const { address, signing } = await startGrpc(t);
  signing.hold = true;
  const client = grpcClient(t, SigningServiceClient, address);
  for (const timeoutUs of [0, 100_000_000, 1_000]) {
    unary((...call) => client.sign({ ...signRequest(), timeoutUs }, ...call), 10_000).catch(() => undefined);
    await signing.heldAtLeast(signing.held.length + 1);
  }
  const [none, late, early] = signing.held.map(({ request }) => request.timeoutUs);
  for (const of of [none, late]) t.ok(of !== undefined && of > 2_500_000 && of <= 10_001_000, `${of}`);
  t.equal(early, 1_000);
});

t.test('a call that its caller cancels is cancelled behind the transport', async (t) => {
  const { address, signing } = await startGrpc(t);
  signing.hold = true;
  const client = grpcClient(t, SigningServiceClient, address);
  const call = client.sign(signRequest(), () => undefined);
  await signing.heldAtLeast(1);
  call.cancel();
  await t.resolves(until(() => signing.held[0]?.cancelled === true));
});

t.test('a drain answers what is in flight, unary and stream, and loses nothing', async (t) => {
  const { address, signing, transport, health } = await startGrpc(t);
  signing.hold = true;
  const client = grpcClient(t, SigningServiceClient, address);
  const one = unary<SignResponse>((...call) => client.sign(signRequest(), ...call));
  const many = openStream(client);
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
  const { address, signing, transport } = await startGrpc(t);
  signing.hold = true;
  const client = grpcClient(t, SigningServiceClient, address);
  const call = unary((...c) => client.sign(signRequest(), ...c));
  call.catch(() => undefined);
  await signing.heldAtLeast(1);
  await transport.drain(30);
  await t.rejects(call, { code: status.UNAVAILABLE });
});

t.test('a message over 64 KiB is refused', async (t) => {
  const { address, signing } = await startGrpc(t);
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
  const { path } = await startGrpc(t, { limits: { frame_timeout_ms: 40 } });
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
  const { address, path } = await startGrpc(t, { limits: { connections_max: 1 } });
  const client = grpcClient(t, SigningServiceClient, address);
  await unary((...call) => client.sign(signRequest(), ...call));
  const refused = connect(path);
  t.same(await once(refused.resume(), 'close'), [false]);
  await t.resolves(unary((...call) => client.sign(signRequest(), ...call)));
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
  const { transport, signing } = await startGrpc(t, { tcp: [tcp] });
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
