import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import t from 'tap';
import { grpcClient, unary } from '../../../test/fixtures/grpc-client.js';
import { openStream, startGrpc } from '../../../test/fixtures/grpc-transport.js';
import { framed, signRequest } from '../../../test/fixtures/socket-client.js';
import { until } from '../../../test/fixtures/until.js';
import { ErrorCode } from '../../gen/signet/v1/sign.js';
import { SigningServiceClient } from '../../gen/signet/v1/signing_service.js';

t.test('a stream carries the same envelope: Hello, many in flight, answers in any order', async (t) => {
  const { address, signing } = await startGrpc(t, { limits: { in_flight_per_connection_max: 3 } });
  signing.hold = true;
  const { stream, frames, frame, sign } = openStream(grpcClient(t, SigningServiceClient, address));
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
  const { address, signing } = await startGrpc(t, { limits: { in_flight_per_connection_max: 2 } });
  signing.hold = true;
  const client = grpcClient(t, SigningServiceClient, address);
  const [first, second] = [openStream(client), openStream(client)];
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
  const { address } = await startGrpc(t);
  const { stream, frames, frame, sign, ended } = openStream(grpcClient(t, SigningServiceClient, address));
  sign(9);
  t.equal((await frame(({ id }) => id === 9))?.body?.$case, 'sign');
  stream.write({ id: 0, body: { $case: 'ping', value: {} } });
  await ended();
  t.match(frames.at(-1), { id: 0, body: { value: { message: /^expected an id of 1 or more/ } } });
});

t.test('a caller that has asked its last question still gets its answers', async (t) => {
  const { address, signing } = await startGrpc(t);
  signing.hold = true;
  const { stream, frames, sign, ended } = openStream(grpcClient(t, SigningServiceClient, address));
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
  const { address, path, signing } = await startGrpc(t, { limits: { frame_timeout_ms: 50 } });
  signing.outcome = () => ({ ok: true, signature: Buffer.alloc(512), queueUs: 0, tokenUs: 0 });
  const session = connectHttp2('http://localhost', { createConnection: () => connect(path) });
  session.on('error', () => undefined);
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

/** A SignStreamRequest as gRPC writes it: not compressed, a length of 4 bytes, the message; the same 4 bytes as a frame has. */
function grpcMessage(id: number): Buffer {
  return Buffer.concat([Buffer.alloc(1), framed({ id, body: { $case: 'sign', value: signRequest() } })]);
}
