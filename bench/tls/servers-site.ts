import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Load, ServersWish } from '../experiment.js';
import type { Sample } from '../measured.js';
import { cpuUs, pssMb } from '../path/processes.js';
import type { Watch } from '../program.js';
import type { Site } from '../site.js';
import { visit } from './visits.js';

/** A web server of one worker. */
interface Server {
  readonly worker: number;
  /** By kind of key and version, such as `ec 1.3`; and `plain`. */
  readonly ports: Readonly<Record<string, number>>;
  /** What blocked.c writes. */
  readonly blockedFile: string;
}

const KINDS = ['ec 1.2', 'ec 1.3', 'rsa 1.2', 'rsa 1.3', 'plain'];
const ROOT = join(import.meta.dirname, '../..');

/** The web servers that tls/servers starts. Throws when they do not start. */
export async function startServersSite({ token }: ServersWish): Promise<Site> {
  const script = spawn(join(import.meta.dirname, 'servers'), token === 'slow' ? ['slow'] : [], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const site = new ServersSite(script);
  await site.ready();
  return site;
}

class ServersSite implements Site {
  readonly #script: ChildProcess;
  readonly #servers = new Map<string, Server>();
  #slowState = '';
  #tokenMs = 0;

  constructor(script: ChildProcess) {
    this.#script = script;
  }

  async ready(): Promise<void> {
    const lines = createInterface({ input: this.#script.stdout as NonNullable<ChildProcess['stdout']> });
    for await (const line of lines) {
      const [name = '', second = '', ...rest] = line.split(' ').filter(Boolean);
      if (name === 'ready') return;
      if (name === 'slow') this.#slowState = second;
      else this.#servers.set(name, parseServer(Number(second), rest));
    }
    throw new Error('bench/tls/servers ended before the servers were ready; its reason is above');
  }

  offers(load: Load): boolean {
    return load.by === 'handshakes' && this.#servers.has(load.server);
  }

  async measure(load: Load, seconds: number): Promise<Sample> {
    const server = load.by === 'handshakes' ? this.#servers.get(load.server) : undefined;
    if (load.by !== 'handshakes' || !server) throw new Error(`${load.by} is not measured on these servers`);
    this.#takeMs(load.tokenMs ?? 0);
    const usage = new WorkerUsage(server);
    return usage.with(await visit(server.ports, load, seconds, usage));
  }

  async end(): Promise<void> {
    this.#script.stdin?.end();
    if (this.#script.exitCode === null) await once(this.#script, 'close');
  }

  #takeMs(milliseconds: number): void {
    if (milliseconds === this.#tokenMs) return;
    const control = join(ROOT, 'build/native-test/faultyctl');
    execFileSync(control, [this.#slowState, 'latency', 'C_Sign', String(milliseconds * 1000), '0']);
    this.#tokenMs = milliseconds;
  }
}

function parseServer(worker: number, rest: readonly string[]): Server {
  const [blockedFile = '', ...ports] = rest;
  return { worker, ports: Object.fromEntries(KINDS.map((kind, i) => [kind, Number(ports[i])])), blockedFile };
}

/** What the worker uses while handshakes are measured. */
class WorkerUsage implements Watch {
  readonly #server: Server;
  #before = { cpu: 0, blocked: 0 };
  #used = { cpu: 0, blocked: 0 };
  #memory = 0;

  constructor(server: Server) {
    this.#server = server;
  }

  begin(): void {
    this.#before = this.#now();
  }

  end(): void {
    const now = this.#now();
    this.#used = { cpu: now.cpu - this.#before.cpu, blocked: now.blocked - this.#before.blocked };
    this.#memory = pssMb(this.#server.worker);
  }

  with(measured: Sample): Sample {
    const worker_us = this.#used.cpu / measured.count;
    const blocked_us = this.#used.blocked / measured.count;
    return { ...measured, worker_us, blocked_us, busy_us: worker_us + blocked_us, worker_mb: this.#memory };
  }

  #now() {
    const blockedNs = readFileSync(this.#server.blockedFile).readBigUInt64LE();
    return { cpu: cpuUs(this.#server.worker), blocked: Number(blockedNs) / 1000 };
  }
}
