/**
 * What a long life does to the servers of the matrix. In each turn another service takes the place of the one before, every
 * server that can reload does, those that cannot exit and start again, and some only live on; then each makes a handshake. At the end nobody
 * has crashed, hung or kept descriptors or memory.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { KeyKind } from './cells.js';
import { visit } from './handshake.js';
import { ENDS, type Life, lives } from './lives-of-servers.js';
import { until } from './processes.js';
import type { Site } from './site.js';
import { report } from './tap.js';

/** The kinds that the site must have. */
export const LIVES_KEYS: readonly KeyKind[] = ['p256', 'rsa2048'];
/** What caches may still take after the first half, in kB: a key or a connection lost in each of 50 turns would be more. */
const GROWTH_KB_MAX = 1024;

export async function tryLives(site: Site, turns: number): Promise<void> {
  const faults: Faults = new Map();
  const all = await lives(site, turns);
  const half = await live(site, all, turns, faults);
  for (const life of all) await check(life, half.get(life.name) ?? [], faults);
  for (const { name } of all) report(`${turns} turns: ${name}`, faults.get(name));
}

/** What came over whom. */
type Faults = Map<string, string>;

/** All turns; gives what each held after the first half. */
async function live(site: Site, all: readonly Life[], turns: number, faults: Faults): Promise<Map<string, Held[]>> {
  const half = new Map<string, Held[]>();
  const middle = Math.max(1, Math.floor(turns / 2));
  for (let turn = 1; turn <= turns; turn += 1) {
    const when = `turn ${turn}`;
    await Promise.all([site.startService(), ...all.map((life) => guarded(life, faults, when, () => life.turn()))]);
    for (const life of all) await guarded(life, faults, when, () => shake(site, life));
    if (turn === middle) for (const life of all) half.set(life.name, life.watched().flatMap(held));
  }
  return half;
}

/** A server that has come to harm is left alone. */
async function guarded(life: Life, faults: Faults, when: string, work: () => Promise<unknown>): Promise<void> {
  if (faults.has(life.name)) return;
  try {
    await work();
  } catch (error) {
    faults.set(life.name, `${when}: ${(error as Error).message}\n${life.running().log()}`);
  }
}

async function shake(site: Site, life: Life): Promise<void> {
  for (const way of ['1.2', '1.3'] as const) await visit(site, life.port(), life.key, life.host, { way });
}

interface Held {
  readonly pid: number;
  readonly descriptors: number;
  readonly memoryKb: number;
}

/** Nothing of a process that has just ended, such as the worker of before a reload. */
function held(pid: number): Held[] {
  try {
    const [, kb = '0'] = /^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return [{ pid, descriptors: readdirSync(`/proc/${pid}/fd`).length, memoryKb: Number(kb) }];
  } catch {
    return [];
  }
}

async function check(life: Life, half: readonly Held[], faults: Faults): Promise<void> {
  await guarded(life, faults, 'at the end', () => keptNothing(half));
  const how = await life.running().stop(life.end ?? 'SIGTERM');
  if (!ENDS.includes(how) && !faults.has(life.name))
    faults.set(life.name, `it ended with ${how}: ${life.running().log()}`);
  const [, crash] = CRASH.exec(life.log()) ?? [];
  if (crash && !faults.has(life.name)) faults.set(life.name, crash);
}

/** In the words of NGINX, Apache and HAProxy. */
const CRASH = /^(.*(?:exited on signal|exit signal|exited with code 1[3-9]\d|FATAL|\[alert\]|\[emerg\]).*)$/m;

async function keptNothing(half: readonly Held[]): Promise<void> {
  // Those that live since the half; a connection is closed a little after its handshake.
  const grown = (what: 'descriptors' | 'memoryKb', by: number) =>
    half.flatMap((one) => held(one.pid).filter((now) => now[what] > one[what] + by));
  const limits = `expected at most what was held after the half: ${JSON.stringify(half)}`;
  await until(limits, () => grown('descriptors', 0).length === 0, CLOSED_MS);
  const [more] = grown('memoryKb', GROWTH_KB_MAX);
  if (more) throw new Error(`${limits}, and ${GROWTH_KB_MAX} kB; ${JSON.stringify(more)} came`);
}

/** How long connections may take to be closed, in milliseconds. */
const CLOSED_MS = 10_000;
