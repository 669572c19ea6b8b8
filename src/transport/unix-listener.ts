import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, lstatSync, renameSync, rmSync, type Stats } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { UnixSocketConfig } from '../config/schema.js';
import { SignetError } from '../errors.js';

/** Something that takes connections. */
export interface Listener {
  /** Where it listens: a path, or host:port. */
  readonly address: string;
  /** Takes no more connections; those that there are stay. */
  close(): void;
}

/** sun_path of sockaddr_un holds 108 bytes with its final 0 (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;
const GETENT_TIMEOUT_MS = 10_000;
/** Callers whose connections the kernel holds while the service is busy. */
const BACKLOG_CONNECTIONS = 1_024;

/** A socket of the configuration; with `fd` it is there already and is listened on as it is. */
export type UnixSocket = UnixSocketConfig & { readonly fd?: number | undefined };

/**
 * Listens on a Unix socket that nobody can open before it has its owner and mode, and that takes over the path of a running
 * or a dead service in one step. Bound under another name, it is not unlinked by node when it closes; it is unlinked here, if
 * it is still ours. Throws SignetError invalid_argument for what the configuration's reader must change.
 */
export async function listenUnix(config: UnixSocket, onConnection: (socket: Socket) => void): Promise<Listener> {
  if (config.fd !== undefined) return listenPassed(config.path, config.fd, onConnection);
  const uid = await idOf('passwd', config.owner);
  const gid = await idOf('group', config.group);
  const bound = join(dirname(config.path), `.${randomBytes(4).toString('hex')}`);
  checkPath(config.path, bound);
  const server = createServer(onConnection);
  try {
    await bind(server, bound);
    if (uid !== -1 || gid !== -1) chownSync(bound, uid, gid);
    chmodSync(bound, Number.parseInt(config.mode, 8));
    const ours = lstatSync(bound);
    renameSync(bound, config.path);
    return { address: config.path, close: () => close(server, config.path, ours) };
  } catch (cause) {
    server.close();
    rmSync(bound, { force: true });
    const { message } = cause as Error;
    throw new SignetError(
      'invalid_argument',
      `expected a folder in which a socket with the owner and mode of the configuration can be made for ${config.path}; ${message} came`,
      { cause },
    );
  }
}

/** Connections that come when it is closed wait for the next service; who made it keeps it open and unlinks it. */
async function listenPassed(path: string, fd: number, onConnection: (socket: Socket) => void): Promise<Listener> {
  const server = createServer(onConnection);
  server.listen({ fd, backlog: BACKLOG_CONNECTIONS });
  await once(server, 'listening');
  return { address: path, close: () => void server.close() };
}

/** The mask holds for the moment of bind(2) only, which node calls before listen returns. */
function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const umask = process.umask(0o077);
    try {
      server.listen({ path, backlog: BACKLOG_CONNECTIONS }, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  });
}

/** While the socket is open its inode cannot be another file's, so it is compared before the socket closes. */
function close(server: Server, path: string, ours: Stats): void {
  if (!server.listening) return;
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there?.ino === ours.ino && there.dev === ours.dev) rmSync(path, { force: true });
  server.close();
}

function checkPath(path: string, bound: string): void {
  for (const candidate of [path, bound]) {
    const length = Buffer.byteLength(candidate);
    if (length > SOCKET_PATH_BYTES_MAX) {
      throw new SignetError(
        'invalid_argument',
        `expected a socket path of at most ${SOCKET_PATH_BYTES_MAX} bytes (unix(7)); ${length} came in ${candidate}; use a shorter one`,
      );
    }
  }
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there && !there.isSocket()) {
    throw new SignetError(
      'invalid_argument',
      `expected no file or a socket at ${path}; another kind of file is there; remove it or use another path`,
    );
  }
}

/** The number of a user or group; -1, which leaves it, if none is configured. getent(1) asks what the system asks: files, LDAP, … */
async function idOf(database: 'passwd' | 'group', name: string | number | undefined): Promise<number> {
  if (name === undefined) return -1;
  if (typeof name === 'number') return name;
  if (/^\d+$/.test(name)) return Number(name);
  const found = await promisify(execFile)('getent', ['--', database, name], { timeout: GETENT_TIMEOUT_MS }).catch(
    () => undefined,
  );
  const id = found?.stdout.split(':')[2];
  if (id && /^\d+$/.test(id)) return Number(id);
  const kind = database === 'passwd' ? 'user' : 'group';
  throw new SignetError(
    'invalid_argument',
    `expected the name or number of a ${kind}; "${name}" came, which is none here; create it or name another`,
  );
}
