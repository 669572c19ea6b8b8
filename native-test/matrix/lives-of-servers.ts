/** How each server of the matrix lives: what a turn is for it, and which of its processes stay. */
import { readFileSync } from 'node:fs';
import type { KeyKind } from './cells.js';
import { childrenOf, freePorts, listening, type Running, start, until } from './processes.js';
import { host, pair, startApache } from './programs/apache.js';
import { type Engine, engineConf } from './programs/engines.js';
import { startHaproxy } from './programs/haproxy.js';
import { startNginx } from './programs/nginx.js';
import { built, type Site } from './site.js';

export interface Life {
  readonly name: string;
  readonly key: KeyKind;
  /** What its certificate is for. */
  readonly host: string;
  /** How it is told to end; SIGTERM if nothing is said. */
  readonly end?: NodeJS.Signals;
  running(): Running;
  port(): number;
  turn(): Promise<void>;
  /** Processes that outlive a turn. */
  watched(): number[];
  log(): string;
}

export async function lives(site: Site, turns: number): Promise<Life[]> {
  const ports = await freePorts(8);
  const port = () => ports.pop() as number;
  const provider = { OPENSSL_CONF: site.file('provider.cnf') };
  const signet = { OPENSSL_CONF: engineConf(site, 'signet') };
  const pkcs11 = { OPENSSL_CONF: engineConf(site, 'pkcs11'), ...site.pkcs11Environment };
  const all = [
    await nginx(site, { name: 'NGINX, provider, reloads', key: 'p256', env: provider }, port(), reload),
    await nginx(
      site,
      { name: "NGINX, Signet's engine, reloads", key: 'p256', env: signet, engine: 'signet' },
      port(),
      reload,
    ),
    await nginx(
      site,
      { name: "NGINX, libp11's engine, reloads", key: 'rsa2048', env: pkcs11, engine: 'pkcs11' },
      port(),
      reload,
    ),
    await nginx(site, { name: 'NGINX, provider, lives on', key: 'rsa2048', env: provider }, port(), async () => {}),
    await haproxy(site, port()),
    await apache(site, port()),
    await exits(site, 'openssl s_server, exits', ['openssl', ...serverArgs(site, port())], provider),
    await exits(site, 'gnutls-serv, exits', ['gnutls-serv', ...gnutlsArgs(site, port())], site.pkcs11Environment),
  ];
  // A virtual machine of Java's takes seconds to start: it lives on.
  if (turns > SHORT_TURNS) all.push(await javaLife(site));
  return all;
}

const SHORT_TURNS = 10;
const RELOAD_MS = 20_000;

interface NginxWish {
  readonly name: string;
  readonly key: KeyKind;
  readonly env: NodeJS.ProcessEnv;
  readonly engine?: Engine;
}

async function nginx(
  site: Site,
  { name, key, env, engine }: NginxWish,
  port: number,
  turn: (running: Running) => Promise<void>,
): Promise<Life> {
  const file = engine ? `"engine:${engine}:label_${key}"` : site.reference(key);
  const block = `server { listen 127.0.0.1:${port} ssl; ssl_certificate ${site.certificate(key)}; ssl_certificate_key ${file}; return 200 "page"; }`;
  const running = await startNginx(site, block, port, env);
  return {
    name,
    key,
    host: `${key}.signet.test`,
    end: 'SIGQUIT',
    running: () => running,
    port: () => port,
    turn: () => turn(running),
    watched: () => [running.pid, ...childrenOf(running.pid)],
    log: () => readFileSync(site.file(`nginx-${port}.log`), 'utf8'),
  };
}

/** Resolves when none of the processes of before is there. */
async function reload(running: Running, signal: NodeJS.Signals = 'SIGHUP'): Promise<void> {
  const before = childrenOf(running.pid);
  running.signal(signal);
  await until(
    'other workers',
    () => {
      if (running.hasEnded) throw new Error('it ended');
      const now = childrenOf(running.pid);
      return now.length > 0 && before.every((pid) => !now.includes(pid));
    },
    RELOAD_MS,
  );
}

/** With ssl-mode-async: that HAProxy outlives it was once not so (native/wait/wait.c). */
async function haproxy(site: Site, port: number): Promise<Life> {
  const section = `frontend one
  bind 127.0.0.1:${port} ssl crt ${site.combined('p256')}
  http-request return status 200 content-type text/plain string "page"
`;
  const running = await startHaproxy(site, 'ssl-mode-async', section, port, ['-W']);
  return {
    name: 'HAProxy, reloads',
    key: 'p256',
    host: 'p256.signet.test',
    end: 'SIGUSR1',
    running: () => running,
    port: () => port,
    turn: () => reload(running, 'SIGUSR2'),
    watched: () => [running.pid],
    log: () => readFileSync(site.file(`haproxy-${port}.log`), 'utf8'),
  };
}

async function apache(site: Site, port: number): Promise<Life> {
  const running = await startApache(site, port, host(port, 'rsa2048.signet.test', pair(site, 'rsa2048')));
  return {
    name: 'Apache, reloads',
    key: 'rsa2048',
    host: 'rsa2048.signet.test',
    running: () => running,
    port: () => port,
    turn: () => reload(running, 'SIGUSR1'),
    watched: () => [running.pid],
    log: () => readFileSync(site.file(`apache-${port}.log`), 'utf8'),
  };
}

function serverArgs(site: Site, port: number): string[] {
  return [
    's_server',
    '-accept',
    `127.0.0.1:${port}`,
    '-www',
    '-cert',
    site.certificate('p256'),
    '-key',
    site.reference('p256'),
  ];
}

function gnutlsArgs(site: Site, port: number): string[] {
  const key = [
    '--x509keyfile',
    'pkcs11:token=signet;object=p256;type=private',
    '--x509certfile',
    site.certificate('p256'),
  ];
  return ['--port', String(port), '--echo', '--provider', built('native/signet-pkcs11.so'), ...key];
}

/** Ways to end that are no harm: told by SIGTERM, gnutls-serv ends with 1 and Java with 143. */
export const ENDS: readonly (number | string)[] = [0, 1, 143, 'SIGTERM'];

/** A server that cannot reload: it ends with each turn, and must end well, and another takes its place. */
async function exits(
  site: Site,
  name: string,
  [command = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Life> {
  const file = site.write(`${command}-lives.log`, '');
  const port = Number(/\d{4,5}$/.exec(args.find((arg) => /^(127\.0\.0\.1:)?\d{4,5}$/.test(arg)) ?? '')?.[0]);
  const begin = async () => {
    const next = start(command, args, file, env);
    await listening(next, port);
    return next;
  };
  let running = await begin();
  return {
    name,
    key: 'p256',
    host: 'p256.signet.test',
    running: () => running,
    port: () => port,
    async turn() {
      const how = await running.stop();
      if (!ENDS.includes(how)) throw new Error(`it ended with ${how}`);
      running = await begin();
    },
    watched: () => [],
    log: () => readFileSync(file, 'utf8'),
  };
}

async function javaLife(site: Site): Promise<Life> {
  const { startJava } = await import('./programs/java.js');
  const { running, port } = await startJava(site);
  return {
    name: 'Java, lives on',
    key: 'p256',
    host: 'java.p256.signet.test',
    running: () => running,
    port: () => port,
    turn: async () => {},
    watched: () => [],
    log: () => readFileSync(site.file('java.log'), 'utf8'),
  };
}
