import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { SignStreamRequest, SignStreamResponse } from '../../src/gen/signet/v1/sign.js';
import { runLoad, words } from '../program.js';

/** Tests of socket_load.c against a service of our own, which can stall. */
const BENCH = join(import.meta.dirname, '..');
const PROGRAM = join(BENCH, '../build/bench/socket_load');
const WISH = { scheme: 0x0403, seconds: 0.5, warmup: 0.1 };

interface FakeService {
  readonly options: { readonly socket: string; readonly keys: string };
  /** Keys and ids asked for. */
  readonly asked: string[];
  readonly connections: number;
  /** Answers nothing for so long from the nth request on; then all at once. */
  stall(n: number, milliseconds: number): void;
  refuseEvery(n: number): void;
}

t.before(() => {
  execFileSync('make', ['--silent', '-C', BENCH, PROGRAM]);
});

t.test('an open loop shows a stall in every request that was due meanwhile', async (t) => {
  const service = await fakeService(t);
  service.stall(300, 200);
  const measured = await runLoad(PROGRAM, words({ ...WISH, ...service.options, rate: 1000 }), WATCH);
  t.ok(measured.count > 480 && measured.count <= 501, `${measured.count} in 0.5 s of 1,000 a second`);
  t.ok(measured.p90_us > 100_000, `p90 ${measured.p90_us}`);
});

t.test('a closed loop asks over all connections and keys in turn', async (t) => {
  const service = await fakeService(t, 3);
  const told: string[] = [];
  const watch = { begin: () => void told.push('begin'), end: () => void told.push('end') };
  const shape = { connections: 5, 'in-flight': 10 };
  const measured = await runLoad(PROGRAM, words({ ...WISH, ...service.options, ...shape }), watch);
  t.equal(service.connections, 5);
  t.equal(new Set(service.asked).size, 3);
  t.ok(measured.per_second > 100);
  t.same(told, ['begin', 'begin', 'end'], 'at the start, and when the measured part begins and ends');
  t.ok((measured.curve?.length ?? 0) > 4);
});

t.test('what is refused as too much is counted apart', async (t) => {
  const service = await fakeService(t);
  service.refuseEvery(4);
  const measured = await runLoad(PROGRAM, words({ ...WISH, ...service.options, rate: 400 }), WATCH);
  t.ok((measured.refused ?? 0) >= 45 && (measured.refused ?? 0) <= 55, `${measured.refused} of 200`);
  t.equal(measured.failed, 0);
  t.ok((measured.refused_p99_us ?? 0) > 0);
});

t.test('without a service it says so and fails', async (t) => {
  const service = await fakeService(t);
  const options = { ...service.options, socket: '/nowhere' };
  await t.rejects(runLoad(PROGRAM, words({ ...WISH, ...options, rate: 1 }), WATCH), /cannot connect/);
});

const WATCH = { begin: () => undefined, end: () => undefined };

async function fakeService(t: Test, keys = 1): Promise<FakeService> {
  const folder = mkdtempSync(join(tmpdir(), 'signet-load-'));
  const options = { socket: join(folder, 's'), keys: join(folder, 'keys') };
  writeFileSync(options.keys, Array.from({ length: keys }, (_, i) => `0${i}`.repeat(32)).join('\n'));
  const state = { asked: [] as string[], connections: 0, stallAt: Number.NaN, stallMs: 0, refuseEvery: Number.NaN };
  const server = createServer((socket) => {
    state.connections += 1;
    answer(socket, state);
  });
  await listening(server, options.socket);
  t.teardown(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    options,
    asked: state.asked,
    get connections() {
      return state.connections;
    },
    stall(n, milliseconds) {
      state.stallAt = n;
      state.stallMs = milliseconds;
    },
    refuseEvery(n) {
      state.refuseEvery = n;
    },
  };
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve) => server.listen(path, resolve));
}

function answer(
  socket: Socket,
  state: { asked: string[]; stallAt: number; stallMs: number; refuseEvery: number },
): void {
  let bytes = Buffer.alloc(0);
  let silentUntil = 0;
  let held: Buffer[] = [];
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0)) {
      const end = 4 + bytes.readUInt32BE(0);
      held.push(reply(SignStreamRequest.decode(bytes.subarray(4, end)), state));
      bytes = bytes.subarray(end);
    }
    if (state.asked.length >= state.stallAt) {
      state.stallAt = Number.NaN;
      silentUntil = performance.now() + state.stallMs;
      setTimeout(() => flush(), state.stallMs);
    }
    if (performance.now() >= silentUntil) flush();
  });
  const flush = () => {
    socket.write(Buffer.concat(held));
    held = [];
  };
}

function reply({ id, body }: SignStreamRequest, state: { asked: string[]; refuseEvery: number }): Buffer {
  if (body?.$case !== 'sign') {
    const value = { version: 1, inFlightMax: 1024, frameBytesMax: 65536, timeoutUsMax: 5_000_000, agent: 'fake' };
    return frame({ id, body: { $case: 'helloAck', value } });
  }
  state.asked.push(Buffer.from(body.value.spkiSha256).toString('hex'));
  if (state.asked.length % state.refuseEvery === 0)
    return frame({ id, body: { $case: 'error', value: { code: 3, message: 'too much' } } });
  return frame({ id, body: { $case: 'sign', value: { signature: Buffer.alloc(70), queueUs: 1, tokenUs: 1 } } });
}

function frame(response: SignStreamResponse): Buffer {
  const message = SignStreamResponse.encode(response).finish();
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  return Buffer.concat([length, message]);
}
