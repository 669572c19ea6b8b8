import { readFileSync, readlinkSync } from 'node:fs';
import type { Config } from '../config/schema.js';
import { SignetError } from '../errors.js';

/** The variables of sd_listen_fds(3). */
export interface PassedEnvironment {
  readonly LISTEN_PID?: string | undefined;
  readonly LISTEN_FDS?: string | undefined;
  readonly LISTEN_FDNAMES?: string | undefined;
}

interface PassedSocket {
  readonly fd: number;
  readonly name: string;
  /** What it is bound to; empty for what is no Unix socket with a path. */
  readonly path: string;
}

interface SocketOption {
  readonly path: string;
  readonly fd_name?: string | undefined;
}

/** SD_LISTEN_FDS_START of sd-daemon.h. */
const FIRST_FD = 3;

/** The listening sockets that systemd, or who else keeps to sd_listen_fds(3), passed to this process. */
export class PassedSockets {
  readonly #sockets: readonly PassedSocket[];
  readonly #taken = new Set<number>();

  constructor(environment: PassedEnvironment) {
    const { LISTEN_PID, LISTEN_FDS = '0', LISTEN_FDNAMES = '' } = environment;
    const count = Number(LISTEN_PID) === process.pid && /^\d{1,4}$/.test(LISTEN_FDS) ? Number(LISTEN_FDS) : 0;
    const names = LISTEN_FDNAMES.split(':');
    const paths = count > 0 ? boundPaths() : new Map<string, string>();
    this.#sockets = Array.from({ length: count }, (_, i) => {
      const fd = FIRST_FD + i;
      return { fd, name: names[i] || 'unknown', path: paths.get(inodeOf(fd)) ?? '' };
    });
  }

  /**
   * The socket of the configuration with the descriptor to listen on, if one is passed for it: several may have one name, so the path
   * must fit too. Throws SignetError invalid_argument if fd_name stands there and no such socket was passed.
   */
  give<Option extends SocketOption>(option: Option): Option & { readonly fd?: number } {
    const { fd_name: name, path } = option;
    if (name === undefined) return option;
    const found = this.#sockets.find((socket) => socket.name === name && socket.path === path);
    if (!found) throw this.#notPassed(name, path);
    this.#taken.add(found.fd);
    return { ...option, fd: found.fd };
  }

  /** The configuration with the descriptors of the sockets that were passed for it. Throws as `give` does. */
  place({ sockets, grpc, admin }: Pick<Config, 'sockets' | 'grpc' | 'admin'>) {
    return {
      sockets: sockets.map((socket) => this.give(socket)),
      grpc: { ...grpc, unix: grpc.unix.map((socket) => this.give(socket)) },
      admin: this.give(admin),
    };
  }

  /** What was passed and has no place in the configuration: nobody would answer there. */
  notTaken(): readonly PassedSocket[] {
    return this.#sockets.filter(({ fd }) => !this.#taken.has(fd));
  }

  #notPassed(name: string, path: string): SignetError {
    const came = this.#sockets.map((socket) => `${socket.name} at ${socket.path || 'no path'}`).join(', ') || 'none';
    return new SignetError(
      'invalid_argument',
      `expected systemd to pass the socket ${name} at ${path}; ${came} came; ` +
        'start signet by a unit whose socket unit has this FileDescriptorName and ListenStream, or take fd_name out',
    );
  }
}

/** Paths of the Unix sockets of this network namespace, by inode; proc(5), /proc/net/unix. */
function boundPaths(): Map<string, string> {
  const lines = readFileSync('/proc/net/unix', 'utf8').split('\n');
  return new Map(
    lines.flatMap((line) => {
      const [, inode, path] = /^\S+: \S+ \S+ \S+ \S+ \S+ +(\d+) (\/.*)$/.exec(line) ?? [];
      return inode !== undefined && path !== undefined ? [[inode, path]] : [];
    }),
  );
}

function inodeOf(fd: number): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1] ?? '';
  } catch {
    return '';
  }
}
