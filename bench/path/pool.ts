/**
 * What the way through the pool costs: signatures by one signer process, against the same calls in a loop inside one process
 * (the floor). Both alternate in short rounds, because the machine is shared and its speed drifts.
 *
 *   node --import=tsx bench/path/pool.ts [rounds] [milliseconds of each]
 *
 * The signer runs from dist/ if that is built, since tsx costs memory. Its memory and CPU time are root's alone to read.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { type Algorithm, algorithmNamed } from '../../src/algorithms.js';
import { readPin } from '../../src/config/pin.js';
import type { ServedKey } from '../../src/keys/served-key.js';
import { LatchFile } from '../../src/latch/latch-file.js';
import type { Pool } from '../../src/pool/pool.js';
import type { SignJob } from '../../src/sign-job.js';
import { createToken, type TestToken } from '../../test/fixtures/softhsm-token.js';

const ROUNDS = Number(process.argv[2] ?? 8);
const ROUND_MS = Number(process.argv[3] ?? 500);
const CASES = [
  { label: 'p256', algorithm: 'ecdsa_secp256r1_sha256' },
  { label: 'rsa2048', algorithm: 'rsa_pss_rsae_sha256' },
] as const;
const IN_FLIGHT = [1, 4];
/** As long as what TLS 1.3 signs (RFC 8446 section 4.4.3): 64 spaces, a label of 33 bytes, 0, a SHA-256 transcript hash. */
const MESSAGE = Buffer.alloc(130, 0x20);

/** The latencies of a round in microseconds, how long it took in milliseconds, and the CPU time of who worked in it. */
interface Round {
  latenciesUs: number[];
  tookMs: number;
  /** Of the loop or the signer, in microseconds. */
  cpuUs: number;
  /** Of the front, in microseconds. */
  frontCpuUs: number;
}

const dist = fileURLToPath(new URL('../../dist/pool/supervisor.js', import.meta.url));
const { createPool } = (await import(
  existsSync(dist) ? dist : '../../src/pool/supervisor.js'
)) as typeof import('../../src/pool/supervisor.js');

const token = createToken({
  keys: [
    { label: 'p256', type: 'p256' },
    { label: 'rsa2048', type: 'rsa2048' },
  ],
});
try {
  await run(token);
} finally {
  token.remove();
}

async function run(token: TestToken): Promise<void> {
  console.log(
    `machine: ${readFileSync('/proc/cpuinfo', 'utf8').match(/model name\s*: (.*)/)?.[1]}, node ${process.version}`,
  );
  console.log(
    `commit: ${execFileSync('git', ['describe', '--always', '--dirty']).toString().trim()}; signer from ${existsSync(dist) ? 'dist' : 'src'}`,
  );
  const { pool, keys } = await startPool(token);
  const floor = startFloor(token);
  for (const { label, algorithm: name } of CASES) {
    const key = keys.find((served) => served.label === label);
    const algorithm = algorithmNamed(name);
    if (!key || !algorithm) throw new Error(`no ${label} or ${name}`);
    for (const inFlight of IN_FLIGHT) {
      const pooled: Round[] = [];
      const direct: Round[] = [];
      for (let round = 0; round <= ROUNDS; round++) {
        const rounds = [
          await floor.round(label),
          await measured(pool, () => poolRound(pool, key, algorithm, inFlight)),
        ] as const;
        // The first warms both up.
        if (round === 0) continue;
        direct.push(rounds[0]);
        pooled.push(rounds[1]);
      }
      print(`${label}, ${inFlight} in flight`, direct, pooled);
    }
  }
  const pid = pool.signers()[0]?.pid;
  console.log(`signer: ${readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').match(/^Pss:\s*(\d+)/m)?.[1]} kB (Pss)`);
  floor.end();
  await pool.close(1000);
}

async function startPool(token: TestToken): Promise<{ pool: Pool; keys: readonly ServedKey[] }> {
  const pool = createPool([token.tokenConfig()], pino({ level: 'warn' }), readPin, new LatchFile(token.folder));
  const keys = await new Promise<readonly ServedKey[]>((resolve) => {
    pool.onKeys = resolve;
  });
  await new Promise<void>((resolve) => setImmediate(resolve));
  return { pool, keys };
}

/** The CPU time is what stays true on a busy machine. */
async function measured(pool: Pool, round: () => Promise<Round>): Promise<Round> {
  const pid = pool.signers()[0]?.pid ?? 0;
  const [signer, front] = [cpuUsOf(pid), cpuUsOf(process.pid)];
  const result = await round();
  return { ...result, cpuUs: cpuUsOf(pid) - signer, frontCpuUs: cpuUsOf(process.pid) - front };
}

/** Time on a CPU of the main thread (proc(5), schedstat). */
function cpuUsOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1000;
}

/** Keeps so many jobs in flight for the time of a round. */
function poolRound(pool: Pool, key: ServedKey, algorithm: Algorithm, inFlight: number): Promise<Round> {
  const latenciesUs: number[] = [];
  const begun = performance.now();
  const waiting: SignJob[] = [];
  let open = 0;
  return new Promise((resolve) => {
    const next = () => {
      const job = newJob(key, algorithm, (arrivedMs, error) => {
        if (error) throw error;
        const now = performance.now();
        latenciesUs.push((now - arrivedMs) * 1000);
        open--;
        if (now - begun < ROUND_MS) next();
        else if (open === 0) resolve({ latenciesUs, tookMs: now - begun, cpuUs: 0, frontCpuUs: 0 });
      });
      open++;
      if (waiting.length > 0 || !pool.offer(job)) waiting.push(job);
    };
    pool.onRoom = () => {
      while (waiting[0] && pool.offer(waiting[0])) waiting.shift();
    };
    for (let i = 0; i < inFlight; i++) next();
  });
}

function newJob(key: ServedKey, algorithm: Algorithm, ended: (arrivedMs: number, error?: Error) => void): SignJob {
  const arrivedMs = performance.now();
  return {
    principal: 'bench',
    key: key.key,
    home: key.tokens.join(','),
    costClass: 'bench',
    algorithm,
    input: MESSAGE,
    inputIsDigest: false,
    arrivedMs,
    deadlineMs: arrivedMs + 10_000,
    queued: false,
    attempts: 0,
    token: '',
    handedMs: 0,
    finished: false,
    finish: (outcome) => ended(arrivedMs, outcome.ok ? undefined : outcome.error),
  };
}

/** The loop in a process of its own, for it must not share the pool's. */
function startFloor(token: TestToken): { round(label: string): Promise<Round>; end(): void } {
  const program = fileURLToPath(new URL('./floor.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import=tsx', program, token.module, token.label, token.pinFile], {
    env: { ...process.env, SOFTHSM2_CONF: token.conf },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  return {
    async round(label) {
      child.stdin.write(`${label} ${ROUND_MS} ${createHash('sha256').update(MESSAGE).digest('hex')}\n`);
      const [line] = (await once(lines, 'line')) as [string];
      return JSON.parse(line) as Round;
    },
    end: () => child.stdin.end(),
  };
}

function print(name: string, direct: Round[], pooled: Round[]): void {
  const [floor, pool] = [summary(direct), summary(pooled)];
  const ratio = (pool.perSecond / floor.perSecond).toFixed(2);
  console.log(
    `${name.padEnd(20)} floor ${floor.perSecond}/s p50 ${floor.p50} cpu ${floor.cpu} µs | pool ${pool.perSecond}/s p50 ${pool.p50} ` +
      `p99 ${pool.p99} cpu ${pool.cpu} + front ${pool.front} µs | ratio ${ratio}, p50 +${pool.p50 - floor.p50} µs`,
  );
}

/** Signatures per second; latency and CPU time of one in microseconds. */
function summary(rounds: Round[]): { perSecond: number; p50: number; p99: number; cpu: number; front: number } {
  const all = rounds.flatMap(({ latenciesUs }) => latenciesUs).sort((a, b) => a - b);
  const sum = (of: (round: Round) => number) => rounds.reduce((total, round) => total + of(round), 0);
  const at = (share: number) => Math.round(all[Math.floor(all.length * share)] ?? 0);
  return {
    perSecond: Math.round((all.length / sum(({ tookMs }) => tookMs)) * 1000),
    p50: at(0.5),
    p99: at(0.99),
    cpu: Math.round(sum(({ cpuUs }) => cpuUs) / all.length),
    front: Math.round(sum(({ frontCpuUs }) => frontCpuUs) / all.length),
  };
}
