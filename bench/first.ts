/**
 * How far is the socket transport from what the token alone can do? One signer process against one session of a C loop on the
 * same SoftHSM token, in turns: the machine's speed drifts, so only what was measured side by side is compared, and every figure is
 * the median over the turns.
 *
 *   make bench [QUICK=1] [GATE=1]
 */
import { loadavg } from 'node:os';
import { createToken } from '../test/fixtures/softhsm-token.js';
import { type FloorMechanism, runFloor, wakeUs } from './floor/run-floor.js';
import { type Measured, median } from './measured.js';
import { childrenOf, cpuUs, pssMb } from './path/processes.js';
import { type BenchService, startBenchService } from './path/running-service.js';
import { runSocketLoad, WARMUP_SIGNATURES } from './path/socket-load.js';
import { type Gate, isMet, sentence } from './report/gates.js';
import { machine } from './report/machine.js';
import { table } from './report/table.js';

const TURNS = process.env.QUICK ? 5 : 7;
const RUN_SECONDS = process.env.QUICK ? 1 : 2;
const SIGNERS = 1;
/** Processes that want a CPU, besides ours, over the last minute: half a core is much on a small machine. */
const BUSY_LOAD = 0.5;

interface Case {
  readonly key: 'p256' | 'rsa2048';
  readonly mechanism: FloorMechanism;
  /** IANA code point of what the service is asked for. */
  readonly scheme: number;
  /** Of the floor's throughput, with 4 clients. */
  readonly ratioMin: number;
  /** Signatures of a trial: it tells how many fill the time, and lets the service's code be compiled. */
  readonly trial: number;
}

const CASES: readonly Case[] = [
  { key: 'p256', mechanism: 'ecdsa-p256', scheme: 0x0403, ratioMin: 0.8, trial: 5_000 },
  { key: 'rsa2048', mechanism: 'rsa-pss', scheme: 0x0804, ratioMin: 0.9, trial: 500 },
];
/** What one client's signature may take longer than the floor's, in microseconds. */
const ADDED_US_MAX = 80;
const FRONT_PSS_MB_MAX = 120;
const SIGNER_PSS_MB_MAX = 60;

/** A load through the service, and what its processes used for each signature, in microseconds of CPU. */
interface PathMeasured extends Measured {
  readonly front_us: number;
  readonly signer_us: number;
}

/** One turn: the three loads side by side. */
interface Turn {
  readonly floor: Measured;
  readonly four: PathMeasured;
  readonly one: PathMeasured;
}

const token = createToken({ keys: CASES.map(({ key }) => ({ label: key, type: key })) });
const gates: Gate[] = [];
const service = await startBenchService(token, SIGNERS).catch((error) => {
  token.remove();
  throw error;
});
try {
  for (const [name, value] of Object.entries(machine())) console.log(`${name.padEnd(8)} ${value}`);
  if ((loadavg()[0] ?? 0) > BUSY_LOAD)
    console.log('\nThe machine is busy with other things: these figures are worth little.');
  console.log(`wake     a round trip between two C processes adds ${wakeUs()} us; a signature makes two such trips`);
  console.log(`\n${SIGNERS} signer against ${SIGNERS} session of a C loop; ${TURNS} turns of ${RUN_SECONDS} s each\n`);
  for (const one of CASES) gates.push(...report(one, measure(service, one)));
  gates.push(...memoryGates(service));
} finally {
  await service.end();
  token.remove();
}
for (const gate of gates) console.log(sentence(gate));
if (process.env.GATE && !gates.every(isMet)) process.exitCode = 1;

function measure(service: BenchService, one: Case): Turn[] {
  const load = { ...service, spkiSha256: service.spkiOf(one.key), scheme: one.scheme };
  const rate = (clients: number) => runSocketLoad({ ...load, clients, count: one.trial }).per_second;
  const count = { four: Math.ceil(rate(4) * RUN_SECONDS), one: Math.ceil(rate(1) * RUN_SECONDS) };
  const path = (clients: number, count: number) => withCpu(service, () => runSocketLoad({ ...load, clients, count }));
  return Array.from({ length: TURNS }, (_, turn) => {
    const runs = {
      floor: () => runFloor(token, { ...one, sessions: SIGNERS, seconds: RUN_SECONDS }),
      four: () => path(4, count.four),
      one: () => path(1, count.one),
    };
    // Every other turn goes backwards, so that a drift within a turn favours nobody.
    if (turn % 2 === 0) return { floor: runs.floor(), four: runs.four(), one: runs.one() };
    return { one: runs.one(), four: runs.four(), floor: runs.floor() };
  });
}

function withCpu(service: BenchService, load: () => Measured): PathMeasured {
  const signers = childrenOf(service.pid);
  const used = () => [cpuUs(service.pid), signers.reduce((sum, pid) => sum + cpuUs(pid), 0)] as const;
  const before = used();
  const measured = load();
  const after = used();
  const signatures = measured.count + WARMUP_SIGNATURES;
  return {
    ...measured,
    front_us: (after[0] - before[0]) / signatures,
    signer_us: (after[1] - before[1]) / signatures,
  };
}

function report({ key, ratioMin }: Case, turns: readonly Turn[]): Gate[] {
  const over = (figure: (turn: Turn) => number) => median(turns.map(figure));
  const row = (name: string, of: (turn: Turn) => Measured & Partial<PathMeasured>) => [
    name,
    ...(['per_second', 'p50_us', 'p90_us', 'p99_us', 'p999_us', 'cpu_us', 'front_us', 'signer_us'] as const).map(
      (figure) => shown(over((turn) => of(turn)[figure] ?? Number.NaN)),
    ),
  ];
  const heading = ['', '1/s', 'p50 us', 'p90', 'p99', 'p99.9', 'load CPU us', 'front', 'signer'];
  console.log(
    `${table([
      [key, ...heading.slice(1)],
      row('C loop', (turn) => turn.floor),
      row('socket, 4 clients', (turn) => turn.four),
      row('socket, 1 client', (turn) => turn.one),
    ])}\n`,
  );
  const ratio = over(({ four, floor }) => four.per_second / floor.per_second);
  const addedUs = over(({ one, floor }) => one.p50_us - floor.p50_us);
  return [
    { what: `${key}, 4 clients, of the C loop`, value: ratio, unit: '', must: 'at least', bound: ratioMin },
    { what: `${key}, 1 client, added to p50`, value: addedUs, unit: ' us', must: 'at most', bound: ADDED_US_MAX },
  ];
}

function shown(value: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(0);
}

function memoryGates(service: BenchService): Gate[] {
  const gate = (what: string, pid: number, bound: number): Gate => ({
    what: `memory of ${what} (Pss)`,
    value: pssMb(pid),
    unit: ' MB',
    must: 'at most',
    bound,
  });
  return [
    gate('the front', service.pid, FRONT_PSS_MB_MAX),
    ...childrenOf(service.pid).map((pid) => gate('a signer', pid, SIGNER_PSS_MB_MAX)),
  ];
}
