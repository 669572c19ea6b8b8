import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** What native/addon/signet_addon.c offers. Every function throws an Error with the operating system's reason. */
interface NativeAddon {
  /** The peer of a connected Unix socket when it connected (unix(7), SO_PEERCRED). */
  peerCredentials(fd: number): { uid: number; gid: number; pid: number };
  /** Loads a PKCS#11 module apart from node's own OpenSSL; it stays loaded (docs/design.md, decision 7). */
  openModuleDeepbind(path: string): void;
  /** No core file, and no other process of the same user may read this one's memory. */
  disableCoreDumps(): void;
  /** This process gets SIGKILL when its parent ends. */
  dieWithParent(): void;
  /** One datagram to the service manager's socket; a path that begins with "@" is an abstract one (sd_notify(3)). */
  notifySystemd(socket: string, text: string): void;
  /** Whether this process has the file to itself now (flock(2)); until the descriptor is closed or the process ends. */
  lockFile(fd: number): boolean;
  /** Two connected Unix sockets (socketpair(2)); who asks closes them. */
  socketPair(): [number, number];
  /** Another descriptor of the same open file (fcntl(2), F_DUPFD_CLOEXEC); who asks closes it. */
  duplicate(fd: number): number;
  /** From now on the event loop of this process looks for events for so long, in microseconds, before it sleeps, as long as that helps; 0 ends it. */
  busyPollEvents(microseconds: number): void;
  /**
   * Waits until bytes have come from the socket and gives how many; 0 when the peer has closed or died. As long as that helps, the
   * first microseconds are waited without sleep. With less than 0 it does not wait: -1 if nothing is there.
   */
  busyPollReceive(fd: number, into: Buffer, microseconds: number): number;
  /**
   * A thread for each of these sessions (as pkcs11js has handles) of a module that this process has loaded from `path` and initialised.
   * `made` is called with what was made since it was called last, four elements for each job: its ticket, a CKR or -1 if its caller had
   * stopped waiting, the microseconds of C_SignInit and C_Sign, and the signature if it is CKR_OK.
   */
  signThreadsStart(path: string, sessions: readonly Buffer[], made: (results: SignThreadResult[]) => void): SignThreads;
  /**
   * C_SignInit and C_Sign in whichever session is free first; jobs are begun in the order in which they come. `pss` is hashAlg, mgf and sLen; the
   * caller waits `leftMs`. An operation that was active is ended. Throws when 64 jobs for each thread wait.
   */
  signThreadsSubmit(
    threads: SignThreads,
    ticket: number,
    key: Buffer,
    mechanism: number,
    pss: readonly [number, number, number] | undefined,
    input: Buffer,
    leftMs: number,
  ): void;
  /** Ends the threads, none of which may have a job. They are not to be used again. */
  signThreadsStop(threads: SignThreads): void;
}

/** Threads that sign, as the addon knows them. */
export type SignThreads = object & { readonly _signThreads: never };
export type SignThreadResult = number | Buffer | undefined;

/** `src/` and `dist/` both lie in the root of the package. */
const ADDON_FILE = fileURLToPath(new URL('../build/signet_addon.node', import.meta.url));

export const {
  peerCredentials,
  openModuleDeepbind,
  disableCoreDumps,
  dieWithParent,
  notifySystemd,
  lockFile,
  socketPair,
  duplicate,
  busyPollEvents,
  busyPollReceive,
  signThreadsStart,
  signThreadsSubmit,
  signThreadsStop,
} = loadAddon();

function loadAddon(): NativeAddon {
  if (!existsSync(ADDON_FILE))
    throw new Error(`expected the native addon at ${ADDON_FILE}; it is not there: run "make build"`);
  return createRequire(import.meta.url)(ADDON_FILE) as NativeAddon;
}
