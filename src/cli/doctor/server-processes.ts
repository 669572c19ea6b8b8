import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Who } from './socket-findings.js';

/** One process of a running web server, as /proc shows it. */
export interface ServerProcess {
  readonly pid: number;
  /** The server, by the name of its program. */
  readonly server: string;
  /** Its own words: `nginx: worker process`; or its command line. */
  readonly title: string;
  readonly who: Who;
  /** The folder that is / for it: another one after chroot(2). */
  readonly root: string;
  /** What its environment at the start said; undefined if the caller may not read it. */
  readonly opensslConf: string | undefined;
  /** The OpenSSL provider is loaded. */
  readonly provider: boolean;
  /** One of the engines is: libp11's, or Signet's own. */
  readonly engine: boolean;
  /** The preload library is loaded. */
  readonly preload: boolean;
  /** The shared libcrypto that it links, and the version that this says it is; undefined: it links none. */
  readonly libcrypto: { readonly path: string; readonly version: string } | undefined;
  /** Handshakes that paused for their signature; undefined: none yet, or only root may read how many. */
  readonly paused: number | undefined;
  /** Some have. */
  readonly atWork: boolean;
}

/** SIGNET__TALLY_NAME of native/async/tally.h, as /proc/PID/maps names it. */
const TALLY = '/memfd:signet-async-at-work';
/** NGINX and its kin, whose workers have the same event loop. */
const NGINX_NAMES = ['nginx', 'angie', 'freenginx'];
const NAMES = [...NGINX_NAMES, 'haproxy', 'apache2', 'httpd'];

export function isNginx({ server }: Pick<ServerProcess, 'server'>): boolean {
  return NGINX_NAMES.includes(server);
}

/** Those of this machine that the caller may look at; `hidden` counts the others. */
export function findServers(proc = '/proc'): { processes: ServerProcess[]; hidden: number } {
  const pids = readdirSync(proc).filter((name) => /^\d+$/.test(name) && NAMES.includes(comm(proc, name)));
  const looks = pids.map((pid) => look(proc, pid));
  const processes = looks.filter((found) => found !== undefined);
  return { processes, hidden: looks.length - processes.length };
}

function comm(proc: string, pid: string): string {
  return read(`${proc}/${pid}/comm`).trim();
}

function look(proc: string, pid: string): ServerProcess | undefined {
  const maps = read(`${proc}/${pid}/maps`);
  if (maps === '') return undefined;
  const tally = maps.split('\n').find((line) => line.includes(TALLY));
  return {
    pid: Number(pid),
    server: comm(proc, pid),
    title: read(`${proc}/${pid}/cmdline`).replaceAll('\0', ' ').trim(),
    who: whoIs(read(`${proc}/${pid}/status`)),
    root: rootOf(proc, pid),
    opensslConf: /(?:^|\0)OPENSSL_CONF=([^\0]*)/.exec(read(`${proc}/${pid}/environ`))?.[1],
    provider: /\/signet\.so$/m.test(maps),
    engine: /\/engines[^/]*\/[^/]*(pkcs11|signet)[^/]*\.so$/m.test(maps),
    preload: /\/signet_async\.so$/m.test(maps),
    libcrypto: libcryptoOf(proc, pid, maps),
    atWork: tally !== undefined,
    paused: tally === undefined ? undefined : readTally(proc, pid, tally),
  };
}

/** proc(5), /proc/PID/status: the effective ids stand second. */
function whoIs(status: string): Who {
  const numbers = (name: string) =>
    (new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '').split(/\s+/).filter(Boolean).map(Number);
  const [, uid = 0] = numbers('Uid');
  const [, gid = 0] = numbers('Gid');
  return { uid, gids: [gid, ...numbers('Groups')] };
}

function rootOf(proc: string, pid: string): string {
  try {
    return readlinkSync(`${proc}/${pid}/root`);
  } catch {
    return '/';
  }
}

function libcryptoOf(proc: string, pid: string, maps: string): ServerProcess['libcrypto'] {
  const [, path] = /\s(\/\S*libcrypto[^/\s]*\.so[.\d]*)(?: \(deleted\))?$/m.exec(maps) ?? [];
  if (path === undefined) return undefined;
  const [version] =
    /OpenSSL \d+\.\d+\.\d+[a-z]*/.exec(read(`${proc}/${pid}/root${path}`, 'latin1') || read(path, 'latin1')) ?? [];
  // Without the file its name says enough.
  return { path, version: version ?? (path.endsWith('.so.1.1') ? 'OpenSSL 1.1' : 'OpenSSL 3') };
}

/** proc(5), /proc/PID/map_files: for root only. */
function readTally(proc: string, pid: string, line: string): number | undefined {
  const range = line.split(' ')[0]?.replace(/^0+(?=.)|(?<=-)0+(?=.)/g, '') ?? '';
  try {
    return Number(readFileSync(`${proc}/${pid}/map_files/${range}`).readBigUInt64LE(0));
  } catch {
    return undefined;
  }
}

/** Empty if it ended meanwhile, or is another user's. */
function read(file: string, encoding: 'utf8' | 'latin1' = 'utf8'): string {
  try {
    return readFileSync(file, encoding);
  } catch {
    return '';
  }
}
