import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import t from 'tap';
import { startService } from './fixtures/running-service.js';
import { createToken } from './fixtures/softhsm-token.js';
import { recordGoal } from './reliability/measured-goal.js';
import { loadRequest, PipelinedClient } from './reliability/pipelined-client.js';
import { residentMiB, watchMemory } from './reliability/process-use.js';
import { firstKey } from './reliability/service-key.js';
import { times } from './reliability/soak.js';

const CONNECTIONS = 50;
const ROUNDS = { short: 4, soak: 100 };
const WARMUP_ROUNDS = 3;
const CHUNK_BYTES = 256 * 1024;
const CHUNKS_MAX = 16;
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
  // What the service needs once for all: code that is compiled, a heap that has grown to its size.
  for (let n = 0; n < WARMUP_ROUNDS; n++) await round();
  const restMiB = residentMiB(service.pid);
  const memory = watchMemory(service.pid);
  let sent = 0;
  for (const _ of times(ROUNDS.short, ROUNDS.soak)) {
    await round();
    sent += LENGTHS.length * CONNECTIONS * 1.1;
  }
  memory.stop();
  const grownMiB = memory.mostMiB - restMiB;
  t.ok(grownMiB <= GROWTH_MIB_MAX_BUSY, `${grownMiB.toFixed(1)} MiB more, at the most`);
  const client = await PipelinedClient.open(service.webSocket);
  t.equal((await client.request(request)).code, 'OK', 'and the others are served');
  await client.close();
  recordGoal({
    id: 'B5',
    goal: 'more memory while messages over 64 KiB come',
    measured: grownMiB,
    unit: 'MiB',
    must: 'at most',
    bound: GROWTH_MIB_MAX,
    of: `${Math.round(sent)} messages, to 4 GiB`,
  });
});

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
