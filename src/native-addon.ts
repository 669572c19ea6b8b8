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
   * The work of a signer (native/signer/sign_loop.h). Sessions and key handles are as pkcs11js has them. Nothing is signed before the first
   * `signLoopNext`. Throws without the module or the threads.
   */
  signLoopOpen(settings: SignLoopSettings): NativeSignLoop;
  /**
   * What jobs are signed with from now on; without sessions they are answered that there is none, and undefined leaves them as they are. Only
   * while no session signs: before the first `signLoopNext`, after an order and after `signLoopQuiet`.
   */
  signLoopStand(loop: NativeSignLoop, sessions: readonly Buffer[] | undefined, keys: readonly SignLoopKey[]): void;
  /** Blocks this thread, and makes signatures, until something comes up that is not a job that goes well. */
  signLoopNext(loop: NativeSignLoop): SignLoopEvent;
  /** Blocks this thread until no session signs, and keeps it so until the next `signLoopNext`. */
  signLoopQuiet(loop: NativeSignLoop): void;
  /** Sends frames behind the answers that are held. */
  signLoopSend(loop: NativeSignLoop, frames: Buffer): void;
}

export interface SignLoopSettings {
  /** The socket of the front, which blocks. */
  readonly fd: number;
  /** Path of a PKCS#11 module that this process has loaded and initialised. */
  readonly module: string;
  /** 1 to 1024. */
  readonly sessions: number;
  readonly busyPollUs: number;
  readonly tokenBusyMs: number;
  readonly verify: 'always' | 'first' | 'sample';
  /** CKR_… of a token that is busy. */
  readonly busy: readonly number[];
  /** At most 32. */
  readonly ways: readonly SignLoopWay[];
}

/** A SignatureScheme and how it is made. */
export interface SignLoopWay {
  readonly scheme: number;
  readonly mechanism: number;
  readonly hash: string | undefined;
  /** hashAlg, mgf and sLen. */
  readonly pss: readonly [number, number, number] | undefined;
  /** What CKM_RSA_PKCS is given before the digest. */
  readonly digestInfo: Buffer | undefined;
}

export interface SignLoopKey {
  readonly spkiSha256: Buffer;
  readonly handle: Buffer;
  readonly spki: Buffer;
  /** A bit for each of the ways that it may go. */
  readonly ways: number;
}

export type SignLoopEvent =
  /** The front has closed its end or is dead. */
  | { readonly kind: 'gone'; readonly isSigning: boolean }
  /** A frame that is no job. No session signs until the next `signLoopNext`. */
  | { readonly kind: 'order'; readonly frame: Buffer }
  /** What came is no frame of the contract. */
  | { readonly kind: 'broken'; readonly what: string }
  | SignLoopFailure;

/** A job that is not answered yet: the token gave this CKR; with CKR_OK its signature does not verify. */
export interface SignLoopFailure {
  readonly kind: 'failed';
  readonly id: number;
  readonly rv: number;
  readonly tokenUs: number;
  /** Indexes of the keys and ways that it failed with. */
  readonly key: number;
  readonly way: number;
  /** Whether the sessions are others by now. */
  readonly isStale: boolean;
}

export type NativeSignLoop = object & { readonly _signLoop: never };

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
  signLoopOpen,
  signLoopStand,
  signLoopNext,
  signLoopQuiet,
  signLoopSend,
} = loadAddon();

function loadAddon(): NativeAddon {
  if (!existsSync(ADDON_FILE))
    throw new Error(`expected the native addon at ${ADDON_FILE}; it is not there: run "make build"`);
  return createRequire(import.meta.url)(ADDON_FILE) as NativeAddon;
}
