/**
 * What does a request cost the front, in CPU time, when everything behind the transports costs nothing?
 * The front runs in a process of its own with a Signing that answers at the end of the turn; this process makes the load.
 *
 *   npx tsx bench/path/front.ts [socket|stream|unary …]     REQUESTS=200000 PROF=folder (a CPU profile of the front)
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { framed, signRequest } from '../../test/fixtures/socket-client.js';

type Load = (path: string, connections: number, inFlight: number, requests: number) => Promise<void>;

const REQUESTS = Number(process.env.REQUESTS ?? 100_000);
const WARM_UP = 20_000;
/** A unary call costs so much more that a fifth of the requests is enough. */
const UNARY_PART = 5;
const SHAPES = process.env.SHAPE
  ? [JSON.parse(process.env.SHAPE)]
  : [
      { connections: 1, inFlight: 1 },
      { connections: 1, inFlight: 64 },
      { connections: 16, inFlight: 4 },
    ];

const LOADS: Record<string, Load> = {
  socket: (path, connections, inFlight, requests) =>
    each(connections, () => loadSocket(path, inFlight, requests / connections)),
  stream: async (path, connections, inFlight, requests) => {
    const { loadStream } = await import('./front-grpc-load.js');
    await each(connections, () => loadStream(path, inFlight, requests / connections));
  },
  unary: async (path, connections, inFlight, requests) => {
    const { loadUnary } = await import('./front-grpc-load.js');
    await each(connections, () => loadUnary(path, inFlight, requests / connections));
  },
};

const chosen = process.argv.slice(2);
console.log(
  `${cpus().length} × ${cpus()[0]?.model}, node ${process.version}, message ${signRequest().input?.value.length} bytes`,
);
for (const carrier of chosen.length > 0 ? chosen : Object.keys(LOADS)) {
  for (const shape of SHAPES) await measure(carrier, shape);
}

async function measure(carrier: string, shape: { connections: number; inFlight: number }): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'signet-front-'));
  const path = join(folder, 's');
  const load = LOADS[carrier] as Load;
  const front = startFront(carrier === 'socket' ? 'socket' : 'grpc', path);
  try {
    await once(front, 'message');
    const part = carrier === 'unary' ? UNARY_PART : 1;
    const requests = REQUESTS / part;
    await load(path, shape.connections, shape.inFlight, WARM_UP / part);
    const before = await usage(front);
    const started = performance.now();
    await load(path, shape.connections, shape.inFlight, requests);
    const seconds = (performance.now() - started) / 1000;
    const after = await usage(front);
    const cpu = (after.cpuUs - before.cpuUs) / requests;
    console.log(
      `${carrier.padEnd(6)} ${shape.connections} × ${String(shape.inFlight).padEnd(3)} front ${cpu.toFixed(1)} µs CPU a request, ` +
        `${Math.round(requests / seconds)} requests/s, rss ${Math.round(after.rss / 1e6)} MB`,
    );
  } finally {
    front.disconnect();
    await once(front, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}

function startFront(transport: string, path: string): ChildProcess {
  const execArgv = [...process.execArgv];
  if (process.env.PROF) execArgv.push('--cpu-prof', `--cpu-prof-dir=${process.env.PROF}`);
  const file = fileURLToPath(new URL('./front-process.ts', import.meta.url));
  return fork(file, [transport, path], { execArgv });
}

async function usage(front: ChildProcess): Promise<{ cpuUs: number; rss: number }> {
  front.send('usage');
  const [answer] = await once(front, 'message');
  return answer;
}

async function each(connections: number, load: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: connections }, load));
}

/** Writes prepared frames and counts answers by their length prefixes; ids may repeat once they were answered. */
async function loadSocket(path: string, inFlight: number, requests: number): Promise<void> {
  const socket = connect(path);
  const frames = Array.from({ length: inFlight }, (_, n) =>
    framed({ id: n + 2, body: { $case: 'sign', value: signRequest() } }),
  );
  socket.write(framed({ id: 1, body: { $case: 'hello', value: { version: 1, agent: 'bench' } } }));
  let sent = 0;
  let answered = -1;
  let rest: Buffer = Buffer.alloc(0);
  const done = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      const again: Buffer[] = [];
      let at = 0;
      while (bytes.length - at >= 4 && bytes.length - at >= 4 + bytes.readUInt32BE(at)) {
        // The id is the first field: 08, then a varint below 128 here.
        const id = bytes[at + 5] as number;
        at += 4 + bytes.readUInt32BE(at);
        if (answered++ < 0) again.push(...frames.slice(0, requests));
        else if (sent < requests) again.push(frames[id - 2] as Buffer);
      }
      rest = bytes.subarray(at);
      again.length = Math.min(again.length, requests - sent);
      sent += again.length;
      if (again.length > 0) socket.write(Buffer.concat(again));
      if (answered >= requests) resolve();
    });
  });
  await done;
  socket.destroy();
}
