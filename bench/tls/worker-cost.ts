/**
 * What a handshake (TLS 1.3, P-256) costs one NGINX worker alone on one core: the time it spends inside SSL_do_handshake, running or
 * blocked, and its CPU time. One client, one connection at a time, the servers in turns. `bench/tls/worker-cost` starts it.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { isMet, sentence } from '../report/gates.js';
import { machine } from '../report/machine.js';
import { table } from '../report/table.js';

const TURNS = process.env.QUICK ? 5 : 20;
const HANDSHAKES = process.env.QUICK ? 100 : 250;
/** What provider and socket may cost more than SoftHSM inside the worker, in microseconds. */
const MORE_US_MAX = 80;

interface Server {
  readonly name: string;
  readonly worker: number;
  readonly port: number;
  readonly clock: string;
}

interface Cost {
  readonly handshakeUs: number;
  readonly cpuUs: number;
}

const NAMES: Readonly<Record<string, string>> = {
  file: 'key in a file',
  inside: "libp11's engine, SoftHSM inside the worker",
  provider: 'provider and socket',
  engine: 'engine and socket',
};

const [serversFile = ''] = process.argv.slice(2);
const servers = readFileSync(serversFile, 'utf8').trim().split('\n').map(parseServer);
for (const [name, value] of Object.entries(machine())) console.log(`${name.padEnd(8)} ${value}`);
console.log(`\n${TURNS} turns of ${HANDSHAKES} handshakes, one at a time; medians\n`);

const costs = new Map(servers.map(({ name }) => [name, [] as Cost[]]));
for (const server of servers) await measure(server);
for (let turn = 0; turn < TURNS; turn += 1)
  for (const server of servers) costs.get(server.name)?.push(await measure(server));
const insideUs = medianOf('inside', 'handshakeUs');
const rows = [['key', 'in the handshake', 'of the worker: CPU', 'more than inside']];
for (const name of Object.keys(NAMES)) rows.push(rowOf(name));
console.log(table(rows));
const gate = {
  what: 'what provider and socket cost the worker more than SoftHSM inside it',
  value: medianOf('provider', 'handshakeUs') - insideUs,
  unit: ' µs',
  must: 'at most',
  bound: MORE_US_MAX,
} as const;
console.log(`\n${sentence(gate)}`);
if (process.env.GATE && !isMet(gate)) process.exitCode = 1;

function parseServer(line: string): Server {
  const [name = '', worker, port, clock = ''] = line.trim().split(' ');
  return { name, worker: Number(worker), port: Number(port), clock };
}

function rowOf(name: string): string[] {
  const us = medianOf(name, 'handshakeUs');
  return [
    NAMES[name] ?? name,
    `${us.toFixed(0)} µs`,
    `${medianOf(name, 'cpuUs').toFixed(0)} µs`,
    `${(us - insideUs).toFixed(0)} µs`,
  ];
}

async function measure({ worker, port, clock }: Server): Promise<Cost> {
  const before = { ...read(clock), cpuNs: cpuNs(worker) };
  for (let made = 0; made < HANDSHAKES; made += 1) await shakeHands(port);
  const after = { ...read(clock), cpuNs: cpuNs(worker) };
  const handshakes = after.handshakes - before.handshakes;
  if (handshakes < HANDSHAKES) throw new Error(`expected ${HANDSHAKES} handshakes; ${handshakes} were made`);
  return {
    handshakeUs: (after.ns - before.ns) / handshakes / 1000,
    cpuUs: (after.cpuNs - before.cpuNs) / handshakes / 1000,
  };
}

/** As handshake_clock.c writes it. */
function read(clock: string): { ns: number; handshakes: number } {
  const bytes = readFileSync(clock);
  return { ns: Number(bytes.readBigUInt64LE(0)), handshakes: Number(bytes.readBigUInt64LE(8)) };
}

/** Whole: no session is kept. Closed when the server has ended it too, so that its work is counted where it belongs. */
function shakeHands(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () =>
      socket.end('GET / HTTP/1.0\r\n\r\n'),
    );
    socket.once('error', reject);
    socket.once('close', () => resolve());
    socket.resume();
  });
}

/** proc(5), /proc/PID/schedstat: nanoseconds on a CPU. */
function cpuNs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]);
}

function medianOf(name: string, of: keyof Cost): number {
  const sorted = (costs.get(name) ?? []).map((cost) => cost[of]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
