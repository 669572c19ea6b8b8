import { type Stats, statSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { type Finding, fault, fine } from './finding.js';

/** A user as the kernel sees it. */
export interface Who {
  readonly uid: number;
  /** The group, and the supplementary ones. */
  readonly gids: readonly number[];
}

/** How long a socket may take to let somebody in, in milliseconds. */
const CONNECT_MS = 2_000;

/** Whether somebody listens on the socket. `root` is the folder that its path counts from. */
export async function lookAtSocket(path: string): Promise<Finding> {
  const stats = statOf(path);
  if (stats === undefined) {
    return fault(
      'socket',
      `there is no socket ${path}`,
      'start the service ("signet serve", "systemctl start signet"), or correct "sockets =" in openssl.cnf',
    );
  }
  if (!stats.isSocket())
    return fault('socket', `${path} is no socket`, 'name the socket of the service in openssl.cnf');
  const refusal = await tryToConnect(path);
  if (refusal === undefined) return fine('socket', `a service listens on ${path}`);
  if (refusal === 'EACCES') return fine('socket', `${path} is there; this user may not try it`);
  return fault('socket', `nobody answers on ${path}: ${refusal}`, 'start the service; its log says why it ended');
}

function tryToConnect(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const end = (result: string | undefined) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(CONNECT_MS, () => end('no answer'));
    socket.once('connect', () => end(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

/** Whether that user's processes may connect to it (unix(7): write permission, and search permission on the way). */
export function lookAtMode(path: string, who: Who, whose: string, root = ''): Finding | undefined {
  const stats = statOf(root + path);
  if (stats === undefined || who.uid === 0) return undefined;
  const closed = foldersOf(path).find((folder) => !may(statOf(root + folder), who, SEARCH));
  if (closed !== undefined) {
    return fault(
      'socket-mode',
      `${whose} may not enter ${closed}, in which the socket ${path} is`,
      `chmod o+x ${closed}, or move the socket`,
    );
  }
  if (may(stats, who, WRITE)) return fine('socket-mode', `${whose} may connect to ${path}`);
  const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
  return fault(
    'socket-mode',
    `${whose} may not connect to ${path}: it has mode ${mode}, user ${stats.uid}, group ${stats.gid}`,
    `give that socket mode: "0660" and group: ${who.gids[0]} in signet.yaml, and a principal the uid ${who.uid}`,
  );
}

/** The bits of "others". */
const WRITE = 0o2;
const SEARCH = 0o1;

function may(stats: Stats | undefined, { uid, gids }: Who, bit: number): boolean {
  if (stats === undefined) return false;
  if (stats.uid === uid) return (stats.mode & (bit << 6)) !== 0;
  if (gids.includes(stats.gid)) return (stats.mode & (bit << 3)) !== 0;
  return (stats.mode & bit) !== 0;
}

function foldersOf(path: string): string[] {
  const folder = dirname(path);
  return folder === '/' ? ['/'] : [...foldersOf(folder), folder];
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
