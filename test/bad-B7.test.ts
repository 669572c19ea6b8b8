import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { SigningServiceClient } from '../src/gen/signet/v1/signing_service.js';
import { createFaultyToken } from './fixtures/faulty-token.js';
import { grpcClient, unary } from './fixtures/grpc-client.js';
import { startService } from './fixtures/running-service.js';
import { watchSigners } from './fixtures/signer-status.js';
import { framed } from './fixtures/socket-client.js';
import { until } from './fixtures/until.js';
import { recordGoal } from './reliability/measured-goal.js';
import { loadRequest, PipelinedClient } from './reliability/pipelined-client.js';
import { descriptors } from './reliability/process-use.js';
import { firstKey } from './reliability/service-key.js';
import { sized, times } from './reliability/soak.js';

/** The defaults in a soak; the short form does not wait so long. */
const TIMEOUT_MS = sized(1_500, 10_000);
const RELEASED_MS_MAX = 30_000;
const OF_EACH_KIND = sized(10, 100);
const DRIP_MS = 100;
const EMPTY = { short: 3_000, soak: 100_000 };
const AT_ONCE = 50;
const HELLO = framed({ id: 1, body: { $case: 'hello', value: { version: 1, agent: 'slow/1' } } });
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const SETTINGS = Buffer.from('000000040000000000', 'hex');
/** HEADERS of stream 1 without END_HEADERS, of a length that never comes. */
const HALF_HEADERS = Buffer.from('0000400100000000018286', 'hex');
const HALF_FRAME = Buffer.from('0000ffff0a', 'hex');

/** What comes at first, and what drips in afterwards, a byte at a time. */
interface Visitor {
  readonly first: Buffer;
  readonly drip?: Buffer;
  /** Shuts its own side at once. */
  readonly half?: boolean;
}

const SOCKET_VISITORS: Record<string, Visitor> = {
  'silence before the Hello': { first: Buffer.alloc(0) },
  'a Hello that drips': { first: Buffer.alloc(0), drip: HELLO.subarray(0, -1) },
  'half a frame after the Hello': { first: Buffer.concat([HELLO, HALF_FRAME]) },
  'a frame that drips after the Hello': {
    first: HELLO,
    drip: Buffer.concat([Buffer.from('0000fff0', 'hex'), randomBytes(2_000)]),
  },
  garbage: { first: randomBytes(5_000) },
  'half-open': { first: Buffer.alloc(0), half: true },
  'half-open in the middle of a frame': { first: Buffer.concat([HELLO, HALF_FRAME]), half: true },
};
const GRPC_VISITORS: Record<string, Visitor> = {
  silence: { first: Buffer.alloc(0) },
  'a preface that drips': { first: Buffer.alloc(0), drip: PREFACE.subarray(0, -1) },
  garbage: { first: randomBytes(5_000) },
  'HTTP/1.1': { first: Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n') },
  'half-open': { first: Buffer.alloc(0), half: true },
  'a TLS ClientHello': { first: Buffer.from('16030100c8010000c40303', 'hex') },
  'garbage after the preface': { first: Buffer.concat([PREFACE, randomBytes(5_000)]) },
};
/** These are found by the pings that go unanswered, 25 s later at the most: too long for the short form. */
const GRPC_AFTER_PREFACE: Record<string, Visitor> = {
  'nothing after the preface': { first: PREFACE },
  'half a header after the preface': { first: Buffer.concat([PREFACE, SETTINGS, HALF_HEADERS]) },
};

// style: long because one service, started once, gets all of it
t.test('B7: whoever holds a connection and says nothing is let go, and nothing of him is left', async (t) => {
  const token = createFaultyToken({ keys: [{ label: 'p256', type: 'p256' }] });
  t.teardown(() => token.remove());
  const limits = { hello_timeout_ms: TIMEOUT_MS, frame_timeout_ms: TIMEOUT_MS, sign_timeout_ms: sized(3_000, 5_000) };
  const service = await startService(t, token, { limits, more: { log: { level: 'info' } } });
  await watchSigners(t, service).whole(1);
  const grpcPath = service.grpcAddress.slice('unix:'.length);
  const request = loadRequest(await firstKey(service), 0);
  const good = await PipelinedClient.open(service.webSocket);
  const caller = grpcClient(t, SigningServiceClient, service.grpcAddress);
  await unary((...call) => caller.sign(request, ...call));
  t.equal((await good.request(request)).code, 'OK');
  const before = descriptors(service.pid);

  const visits = Object.entries({
    ...prefixed('socket', service.webSocket, SOCKET_VISITORS),
    ...prefixed('gRPC', grpcPath, sized(GRPC_VISITORS, { ...GRPC_VISITORS, ...GRPC_AFTER_PREFACE })),
  });
  await t.test('slow, half-open and garbled connections', async (t) => {
    const held = await Promise.all(
      visits.map(async ([what, { path, visitor }]) => {
        const ms = await Promise.all(Array.from({ length: OF_EACH_KIND }, () => visit(path, visitor)));
        return [what, Math.max(...ms)] as const;
      }),
    );
    for (const [what, ms] of held) t.ok(ms <= RELEASED_MS_MAX, `${what}: closed after ${ms.toFixed(0)} ms`);
    const longest = Math.max(...held.map(([, ms]) => ms));
    const of = `${visits.length} kinds, ${OF_EACH_KIND} of each, time limits of ${TIMEOUT_MS} ms`;
    recordGoal({
      id: 'B7',
      goal: 'slow, half-open or garbled: closed after',
      measured: longest / 1000,
      unit: 's',
      must: 'at most',
      bound: 30,
      of,
    });
  });

  await t.test('a request without a deadline has one all the same', async (t) => {
    token.order({ hang: 'C_Sign', times: 1 });
    const { code, tookMs } = await good.request(request);
    t.equal(code, 'DEADLINE_EXCEEDED');
    token.order({ release: true });
    recordGoal({
      id: 'B7',
      goal: 'a request without a deadline at a token that hangs: answered after',
      measured: tookMs / 1000,
      unit: 's',
      must: 'at most',
      bound: 30,
    });
  });

  await t.test('connections that come and go', async (t) => {
    let connections = 0;
    const turns = times(EMPTY.short, EMPTY.soak);
    const come = async () => {
      for (const turn of turns) {
        const socket = connect(turn % 2 === 0 ? service.webSocket : grpcPath);
        socket.on('error', () => undefined);
        await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => undefined);
        socket.destroy();
        connections++;
      }
    };
    const beganMs = performance.now();
    await Promise.all(Array.from({ length: AT_ONCE }, come));
    const cameMs = performance.now();
    t.equal((await good.request(request)).code, 'OK', `${connections} in ${((cameMs - beganMs) / 1000).toFixed(1)} s`);
    await until(() => descriptors(service.pid) <= before, RELEASED_MS_MAX).catch(() => undefined);
    const releasedMs = performance.now() - cameMs;
    t.ok(descriptors(service.pid) <= before, 'no descriptor is left');
    recordGoal({
      id: 'B7',
      goal: 'empty connections: all released after',
      measured: releasedMs / 1000,
      unit: 's',
      must: 'at most',
      bound: 30,
      of: `${connections} connections`,
    });
  });
  await good.close();
});

function prefixed(door: string, path: string, visitors: Record<string, Visitor>) {
  return Object.fromEntries(Object.entries(visitors).map(([what, visitor]) => [`${door}: ${what}`, { path, visitor }]));
}

/** Comes, does as it does, and waits until the service closes. How long that took in milliseconds. */
async function visit(path: string, { first, drip, half }: Visitor): Promise<number> {
  const beganMs = performance.now();
  const socket: Socket = connect({ path, allowHalfOpen: true });
  socket.on('error', () => undefined);
  socket.resume();
  const gone = Promise.race([once(socket, 'end'), once(socket, 'close')]).catch(() => undefined);
  socket.write(first);
  if (half) socket.end();
  let at = 0;
  const dripping = drip && setInterval(() => socket.write(drip.subarray(at, ++at)), DRIP_MS);
  await gone;
  const tookMs = performance.now() - beganMs;
  clearInterval(dripping);
  socket.destroy();
  return tookMs;
}
