/** Programs that are run: started, waited for, ended. Nothing outlives the run. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server } from 'node:net';

/** How long a program may take to start or to end, in milliseconds; a loaded machine is slow. */
const PATIENCE_MS = 30_000;
const POLL_MS = 20;
/** How long a command may take that ends by itself, in milliseconds. */
const COMMAND_MS = 20_000;

export interface Running {
  readonly pid: number;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  readonly hasEnded: boolean;
  log(): string;
  signal(name: NodeJS.Signals): void;
  /** Ends it, and tells how it ended; killed if it takes too long, which is told as SIGKILL. */
  stop(name?: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

const running = new Set<Running>();

/** Its output goes to the file. */
export function start(command: string, args: readonly string[], logFile: string, env: NodeJS.ProcessEnv = {}): Running {
  const log = openSync(logFile, 'a');
  const child = spawn(command, args, { stdio: ['ignore', log, log], env: { ...process.env, ...PATHS, ...env } });
  closeSync(log);
  return follow(child, command, logFile);
}

/** Servers are in sbin, where not everybody looks. */
const PATHS = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

function follow(child: ChildProcess, command: string, logFile: string): Running {
  let over = false;
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('error', () => resolve(127));
    child.once('exit', (code, signal) => resolve(code ?? (signal as NodeJS.Signals)));
  }).then((how) => {
    over = true;
    running.delete(self);
    return how;
  });
  const self: Running = {
    pid: child.pid ?? 0,
    ended,
    get hasEnded() {
      return over;
    },
    log: () => `${command}: ${readFileSync(logFile, 'utf8').split('\n').slice(-12).join('\n')}`,
    signal: (name) => child.kill(name),
    async stop(name = 'SIGTERM') {
      child.kill(name);
      const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
      const how = await ended;
      clearTimeout(late);
      return how;
    },
  };
  running.add(self);
  return self;
}

/** Whatever is still there, but for one. */
export async function stopAll(but?: Running): Promise<void> {
  await Promise.all([...running].filter((one) => one !== but).map((one) => one.stop()));
}

/** Resolves to its output, both streams; throws with it if the command fails. */
export function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  input: string | Buffer = '',
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env: { ...process.env, ...PATHS, ...env }, timeout: COMMAND_MS, maxBuffer: 1 << 24 };
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${command} ${args.join(' ')}: ${error.code ?? error.signal}\n${stdout}${stderr}`));
      else resolve(`${stdout}${stderr}`);
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs = PATIENCE_MS,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Waits until something listens there; throws with the program's log if that ends first. */
export async function listening(server: Running, port: number): Promise<void> {
  await until(`port ${port}`, async () => {
    if (server.hasEnded) throw new Error(`it ended at once: ${server.log()}`);
    return accepts(port);
  });
}

/** Waits until it listens and has forked its first worker: a server with workers listens before it takes signals, of which it would die. */
export async function serving(server: Running, port: number): Promise<void> {
  await listening(server, port);
  await until('a worker', () => {
    if (server.hasEnded) throw new Error(`it ended at once: ${server.log()}`);
    return childrenOf(server.pid).length > 0;
  });
}

export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** All held at once, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listenAnywhere));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function listenAnywhere(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

/** The processes that this one has forked and that are alive. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
