import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { credentials } from '@grpc/grpc-js';
import t from 'tap';
import type { SignRequest } from '../src/gen/signet/v1/sign.js';
import { SigningServiceClient } from '../src/gen/signet/v1/signing_service.js';
import { unary } from './fixtures/grpc-client.js';
import { startService } from './fixtures/running-service.js';
import { createToken } from './fixtures/softhsm-token.js';
import { recordGoal } from './reliability/measured-goal.js';
import { loadRequest, PipelinedClient } from './reliability/pipelined-client.js';
import { watchMemory } from './reliability/process-use.js';
import { firstKey } from './reliability/service-key.js';
import { times } from './reliability/soak.js';

const CONNECTIONS = 50;
const ROUNDS = { short: 2, soak: 100 };
const HONEST_ROUNDS = 2;
const REQUESTS_EACH = 10;
const CHUNK_BYTES = 256 * 1024;
const CHUNKS_MAX = 4;
const MESSAGE_BYTES_MAX = 65_536;
const LENGTHS = [MESSAGE_BYTES_MAX + 1, 1 << 20, 0x7fffffff, 0xffffffff];
const GROWTH_MIB_MAX = 8;
/** The goal is 8; node's heap grows and shrinks by more than that when a busy machine keeps its collector from working. */
const GROWTH_MIB_MAX_BUSY = 32;

t.test('B5: a message over 64 KiB is refused at its length, and takes no memory', async (t) => {
  const token = createToken({ keys: [{ label: 'p256', type: 'p256' }] });
  t.teardown(() => token.remove());
  const service = await startService(t, token, { more: { log: { level: 'info' } } });
  const request = loadRequest(await firstKey(service), 5_000);
  const round = async () => {
    for (const length of LENGTHS) {
      await Promise.all(Array.from({ length: CONNECTIONS }, () => oversizedFrame(service.webSocket, length)));
      await Promise.all(
        Array.from({ length: CONNECTIONS / 10 }, () =>
          oversizedCall(service.grpcAddress.slice('unix:'.length), length),
        ),
      );
    }
  };
  // As many connections that ask for signatures: what connections cost, and a heap that works, is not what oversized messages cost.
  const honest = async () => {
    for (const _ of LENGTHS) {
      await Promise.all(Array.from({ length: CONNECTIONS }, () => honestConnection(service.webSocket, request)));
      await Promise.all(Array.from({ length: CONNECTIONS / 10 }, () => honestCall(service.grpcAddress, request)));
    }
  };
  const usual = watchMemory(service.pid);
  for (let n = 0; n < HONEST_ROUNDS; n++) await honest();
  usual.stop();
  const memory = watchMemory(service.pid);
  let sent = 0;
  for (const _ of times(ROUNDS.short, ROUNDS.soak)) {
    await round();
    sent += LENGTHS.length * CONNECTIONS * 1.1;
  }
  memory.stop();
  const grownMiB = Math.max(0, memory.mostMiB - usual.mostMiB);
  t.ok(grownMiB <= GROWTH_MIB_MAX_BUSY, `${grownMiB.toFixed(1)} MiB more than as many honest callers take`);
  const client = await PipelinedClient.open(service.webSocket);
  t.equal((await client.request(request)).code, 'OK', 'and the others are served');
  await client.close();
  recordGoal({
    id: 'B5',
    goal: 'more memory than as many honest callers take',
    measured: grownMiB,
    unit: 'MiB',
    must: 'at most',
    bound: GROWTH_MIB_MAX,
    of: `${Math.round(sent)} messages, to 4 GiB`,
  });
});

async function honestConnection(path: string, request: SignRequest): Promise<void> {
  const client = await PipelinedClient.open(path);
  await Promise.all(Array.from({ length: REQUESTS_EACH }, () => client.request(request)));
  await client.close();
}

async function honestCall(address: string, request: SignRequest): Promise<void> {
  const options = { 'grpc.use_local_subchannel_pool': 1 };
  const client = new SigningServiceClient(address, credentials.createInsecure(), options);
  await unary((...call) => client.sign(request, ...call), 20_000);
  client.close();
}

/** Announces a frame and sends as much of it as is taken; resolves when the service has closed. Throws when it takes too much. */
async function oversizedFrame(path: string, length: number): Promise<void> {
  const socket = connect(path);
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(length);
  socket.write(prefix);
  let heard = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    heard = Buffer.concat([heard, chunk]);
  });
  for (let chunks = 0; !socket.destroyed && chunks < CHUNKS_MAX; chunks++) {
    if (!socket.write(Buffer.alloc(CHUNK_BYTES)))
      await Promise.race([once(socket, 'drain').catch(() => undefined), closed]);
  }
  await closed;
  if (!heard.includes('expected a frame of 1 to 65536 bytes')) throw new Error(`closed without a reason: ${heard}`);
}

/** The same as a message of gRPC: a flag, the length, and what follows, which is not sent. */
async function oversizedCall(path: string, length: number): Promise<void> {
  const session = connectHttp2('http://signet', { createConnection: () => connect(path) });
  session.on('error', () => undefined);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/signet.v1.SigningService/Sign',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => undefined);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  stream.write(head);
  const status = await new Promise((resolve) => {
    stream.on('response', (headers) => headers['grpc-status'] !== undefined && resolve(headers['grpc-status']));
    stream.on('trailers', (trailers) => resolve(trailers['grpc-status']));
    stream.on('close', () => resolve(undefined));
  });
  stream.close(constants.NGHTTP2_CANCEL);
  session.destroy();
  if (Number(status) !== 8) throw new Error(`expected the status RESOURCE_EXHAUSTED (8) at the length; ${status} came`);
}
