/**
 * HAProxy's `ssl-mode-async` on one thread: it goes on with other handshakes while a signature is made, and clients that go away in the middle
 * leave nothing behind.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import { visit } from './handshake.js';
import { freePorts, type Running, until } from './processes.js';
import { startHaproxy } from './programs/haproxy.js';
import type { Site } from './site.js';
import { it } from './tap.js';

const HANDSHAKES = 8;
const TOKEN_US = 500_000;
/** The goal: less than a second. A quiet machine reaches it at once; one with other work gets some rounds for it. */
const TOGETHER_MS_GOAL = 1_000;
/** What no machine may need, however busy: half of what they would take one after the other. */
const TOGETHER_MS_MAX = 2_000;
const ROUNDS = 6;
const VISITORS = 120;
const ABORTING = 60;
/** Of the token, and when a client goes away at the latest: while its signature is being made. */
const ABORT_TOKEN_US = 100_000;
const ABORT_MS = 90;
/** Less than what 60 handshakes that were never ended would hold, about 34 kB each. */
const GROWTH_KB_MAX = 1_600;
const HOST = 'p256.signet.test';

/** Leaves a service with a slow token. */
export async function tryHaproxyAsync(site: Site): Promise<void> {
  await site.startSlowService(HANDSHAKES);
  const [port = 0] = await freePorts(1);
  const haproxy = await startHaproxy(site, 'ssl-mode-async', section(site, port), port);
  await it(`HAProxy: ${HANDSHAKES} handshakes on one thread against a token of 500 ms do not wait for each other`, () =>
    together(site, port));
  await it(`HAProxy: ${VISITORS} handshakes of which ${ABORTING} are aborted leave nothing behind`, () =>
    aborts(site, port, haproxy));
  await it('HAProxy: it ends by itself and as it should', () => ends(haproxy));
}

function section(site: Site, port: number): string {
  return `frontend one
  bind 127.0.0.1:${port} ssl crt ${site.combined('p256')}
  http-request return status 200 content-type text/plain string "page"
`;
}

async function together(site: Site, port: number): Promise<string> {
  // The first of each signer finds the key and is verified.
  await shakeAll(site, port, HANDSHAKES);
  await site.fault('latency', 'C_Sign', String(TOKEN_US));
  const times: number[] = [];
  while (times.length < ROUNDS && !times.some((ms) => ms < TOGETHER_MS_GOAL)) {
    const from = performance.now();
    await shakeAll(site, port, HANDSHAKES);
    times.push(Math.round(performance.now() - from));
  }
  if (times.some((ms) => ms < TOKEN_US / 1000)) throw new Error(`faster than the token: ${times} ms`);
  if (!times.some((ms) => ms < TOGETHER_MS_MAX)) throw new Error(`they took ${times} ms`);
  return `${times.join(', ')} ms`;
}

async function shakeAll(site: Site, port: number, many: number): Promise<void> {
  const ways = ['1.2', '1.3'] as const;
  await Promise.all(
    Array.from({ length: many }, (_, i) => visit(site, port, 'p256', HOST, { way: ways[i % 2] ?? '1.3' })),
  );
}

async function aborts(site: Site, port: number, haproxy: Running): Promise<string> {
  await site.fault('latency', 'C_Sign', String(ABORT_TOKEN_US));
  await shakeAll(site, port, HANDSHAKES);
  const before = await settled(haproxy);
  for (let done = 0; done < VISITORS; done += 2 * HANDSHAKES) {
    const many = Math.min(HANDSHAKES, (VISITORS - done) / 2);
    await Promise.all([
      shakeAll(site, port, many),
      ...Array.from({ length: many }, (_, i) => abort(port, (ABORT_MS * (i + 1)) / many)),
    ]);
  }
  await shakeAll(site, port, HANDSHAKES);
  let after = held(haproxy);
  await until(`the descriptors of before: ${JSON.stringify(before)}, now ${JSON.stringify(after)}`, () => {
    after = held(haproxy);
    return (
      after.descriptors <= before.descriptors && after.eventfds <= before.eventfds && after.threads <= before.threads
    );
  });
  const grown = after.memoryKb - before.memoryKb;
  if (grown > GROWTH_KB_MAX) throw new Error(`expected at most ${GROWTH_KB_MAX} kB more; ${grown} kB came`);
  return `before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`;
}

/** Goes away in the middle of the handshake. */
async function abort(port: number, afterMs: number): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, servername: HOST, rejectUnauthorized: false });
  socket.on('error', () => {});
  await delay(afterMs);
  socket.destroy();
}

interface Held {
  readonly descriptors: number;
  readonly eventfds: number;
  readonly threads: number;
  readonly memoryKb: number;
}

/** When the connections of the handshakes are closed on its side too. */
async function settled(haproxy: Running): Promise<Held> {
  let least = held(haproxy);
  let seen = 0;
  await until('HAProxy at rest', () => {
    const now = held(haproxy);
    seen = now.descriptors < least.descriptors ? 0 : seen + 1;
    if (now.descriptors < least.descriptors) least = now;
    return seen > 10;
  });
  return least;
}

function held({ pid }: Running): Held {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const numberOf = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1]);
  const fds = readdirSync(`/proc/${pid}/fd`).map((fd) => targetOf(`/proc/${pid}/fd/${fd}`));
  const eventfds = fds.filter((target) => target.includes('eventfd')).length;
  return { descriptors: fds.length, eventfds, threads: numberOf('Threads'), memoryKb: numberOf('VmRSS') };
}

/** Empty if it was closed meanwhile. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

async function ends(haproxy: Running): Promise<undefined> {
  const how = await haproxy.stop('SIGUSR1');
  if (how !== 0) throw new Error(`it ended with ${how}: ${haproxy.log()}`);
}
