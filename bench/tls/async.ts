/**
 * Handshakes per second of one NGINX worker alone on one core: key in a file, provider that waits, provider under the preload library,
 * in turns; and what a plain page waits on that worker. Clients, service and token share the other cores. `bench/tls/run` starts it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect } from 'node:tls';
import { machine } from '../report/machine.js';
import { table } from '../report/table.js';

const TURNS = process.env.QUICK ? 3 : 7;
const RUN_S = process.env.QUICK ? 1 : 3;
const CONCURRENT = 32;
/** Token latencies of the picture, in milliseconds. */
const LATENCIES_MS = process.env.QUICK ? [2, 50] : [0.5, 2, 10, 50, 100];
/** The load under which plain pages are timed: what one worker may do easily with a key file. */
const STEADY_PER_S = 200;
const STEADY_S = process.env.QUICK ? 3 : 6;
const STEADY_LATENCY_MS = 50;
const PROBE_EVERY_MS = 10;
const BAR = 50;

interface Server {
  readonly name: string;
  readonly worker: number;
  /** By kind and version, such as `ec TLSv1.3`, and `plain`. */
  readonly port: Readonly<Record<string, number>>;
}

interface Measured {
  readonly perS: number;
  readonly workerUs: number;
}

const [serversFile = '', faultyctl = '', faults = ''] = process.argv.slice(2);
const KINDS = ['ec TLSv1.2', 'ec TLSv1.3', 'rsa TLSv1.2', 'rsa TLSv1.3', 'plain'];
const servers = readFileSync(serversFile, 'utf8').trim().split('\n').map(parseServer);
const rivals = servers.filter(({ name }) => name !== 'beside');

for (const [name, value] of Object.entries(machine())) console.log(`${name.padEnd(8)} ${value}`);
console.log(`\n${CONCURRENT} concurrent full handshakes, ${TURNS} turns of ${RUN_S} s; medians\n`);
const rows = [['key', 'token', 'file /s', 'waiting /s', 'async /s', 'async/file', 'async/waiting', 'CPU async/file']];
for (const kind of KINDS.slice(0, 4)) rows.push(await compare(kind, kind.startsWith('ec') ? 2 : 10));
console.log(table(rows));
await beside('ec TLSv1.3');
await picture('ec TLSv1.3');
await steady('ec TLSv1.3');

function parseServer(line: string): Server {
  const [name = '', worker, ...ports] = line.trim().split(' ');
  return { name, worker: Number(worker), port: Object.fromEntries(KINDS.map((kind, i) => [kind, Number(ports[i])])) };
}

async function compare(kind: string, tokenMs: number): Promise<string[]> {
  setLatency(tokenMs);
  const runs = rivals.map(() => [] as Measured[]);
  for (let turn = 0; turn < TURNS; turn += 1)
    for (const [i, server] of rivals.entries()) runs[i]?.push(await load(server, kind));
  const [file, waiting, async] = runs.map((all) => ({
    perS: median(all.map((run) => run.perS)),
    workerUs: median(all.map((run) => run.workerUs)),
  }));
  if (!file || !waiting || !async) throw new Error('expected three servers');
  return [
    kind,
    `${tokenMs} ms`,
    ...[file.perS, waiting.perS, async.perS].map((perS) => perS.toFixed(0)),
    (async.perS / file.perS).toFixed(2),
    (async.perS / waiting.perS).toFixed(2),
    `${(async.workerUs / file.workerUs).toFixed(2)} (${async.workerUs.toFixed(0)}/${file.workerUs.toFixed(0)} µs)`,
  ];
}

/** What the preload library costs those whose keys are in files. */
async function beside(kind: string): Promise<void> {
  const pair = servers.filter(({ name }) => name === 'file' || name === 'beside');
  const used = pair.map(() => [] as number[]);
  for (let turn = 0; turn < TURNS; turn += 1)
    for (const [i, server] of pair.entries()) used[i]?.push((await load(server, kind)).workerUs);
  const [file = Number.NaN, besides = Number.NaN] = used.map(median);
  const ratio = (besides / file).toFixed(3);
  console.log(
    `\nkey in a file, ${kind}: ${ratio} of the worker's CPU with the preload library (${besides.toFixed(0)}/${file.toFixed(0)} µs)`,
  );
}

/** wrk makes a new connection for each page and never resumes a session. */
async function load(server: Server, kind: string): Promise<Measured> {
  const before = cpuNs(server.worker);
  const output = await wrk(`https://127.0.0.1:${server.port[kind]}/`);
  const used = cpuNs(server.worker) - before;
  const pages = /(\d+) requests in/.exec(output)?.[1];
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output);
  if (pages === undefined) throw new Error(`${server.name}, ${kind}: wrk says\n${output}`);
  if (errors?.slice(1).some((count) => count !== '0')) console.log(`${server.name}, ${kind}: ${errors[0]}`);
  return { perS: Number(/Requests\/sec: +([\d.]+)/.exec(output)?.[1]), workerUs: used / Number(pages) / 1000 };
}

function wrk(url: string): Promise<string> {
  const child = spawn('wrk', ['-t1', `-c${CONCURRENT}`, `-d${RUN_S}s`, '-H', 'Connection: close', url]);
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  return new Promise((resolve) => child.once('close', () => resolve(output)));
}

async function picture(kind: string): Promise<void> {
  const points: { tokenMs: number; name: string; perS: number; plainMs: number }[] = [];
  for (const tokenMs of LATENCIES_MS) {
    setLatency(tokenMs);
    for (const server of rivals) {
      const probes = probe(server);
      const { perS } = await load(server, kind);
      points.push({ tokenMs, name: server.name, perS, plainMs: median(await probes.end()) });
    }
  }
  const most = Math.max(...points.map(({ perS }) => perS));
  console.log(`\n${kind}: handshakes/s by token latency, and the median of a plain page meanwhile\n`);
  for (const { tokenMs, name, perS, plainMs } of points) {
    const bar = '█'.repeat(Math.round((perS / most) * BAR));
    console.log(
      `${`${tokenMs} ms`.padStart(7)}  ${name.padEnd(8)} ${perS.toFixed(0).padStart(5)} ${bar}  plain ${plainMs.toFixed(1)} ms`,
    );
  }
}

/** A plain page every few milliseconds until the end. Gives the times in milliseconds. */
function probe(server: Server): { end(): Promise<number[]> } {
  const times: number[] = [];
  const open: Promise<void>[] = [];
  const timer = setInterval(() => open.push(plainPage(server.port.plain ?? 0, times)), PROBE_EVERY_MS);
  return {
    async end() {
      clearInterval(timer);
      await Promise.all(open);
      return times;
    },
  };
}

function plainPage(port: number, times: number[]): Promise<void> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, agent: false }, (response) => {
      response.resume();
      response.once('end', () => {
        times.push(performance.now() - began);
        resolve();
      });
    });
    request.once('error', reject);
  });
}

async function steady(kind: string): Promise<void> {
  setLatency(STEADY_LATENCY_MS);
  console.log(`\nA plain page at ${STEADY_PER_S} handshakes/s (${kind}, token ${STEADY_LATENCY_MS} ms):\n`);
  const rows = [['', 'median ms', 'p99 ms', 'slowest ms', 'failed']];
  for (const server of rivals.filter(({ name }) => name !== 'waiting')) {
    const turns: number[][] = [];
    let failed = 0;
    for (let turn = 0; turn < 3; turn += 1) {
      const outcome = await pagesUnderSteadyLoad(server, kind);
      turns.push(outcome.times);
      failed += outcome.failed;
    }
    const of = (share: number) => median(turns.map((times) => quantile(times, share))).toFixed(1);
    rows.push([server.name, of(0.5), of(0.99), of(1), String(failed)]);
  }
  console.log(table(rows));
}

async function pagesUnderSteadyLoad(server: Server, kind: string): Promise<{ times: number[]; failed: number }> {
  const probes = probe(server);
  const handshakes: Promise<boolean>[] = [];
  const began = performance.now();
  for (let made = 0; made < STEADY_S * STEADY_PER_S; made += 1) {
    while (performance.now() - began < (made * 1000) / STEADY_PER_S)
      await new Promise((resolve) => setTimeout(resolve, 1));
    handshakes.push(handshake(server.port[kind] ?? 0));
  }
  const passed = await Promise.all(handshakes);
  return { times: await probes.end(), failed: passed.filter((one) => !one).length };
}

function handshake(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function setLatency(ms: number): void {
  execFileSync(faultyctl, [faults, 'latency', 'C_Sign', String(ms * 1000), '0']);
}

/** proc(5), /proc/PID/schedstat: nanoseconds on a CPU. */
function cpuNs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]);
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
