import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TokenConfig } from '../config/schema.js';
import { socketPair } from '../native-addon.js';
import type { SignerConfiguration } from './messages.js';

/** `main.ts` when the service runs from its source, `main.js` when it is compiled. */
const PROGRAM = fileURLToPath(new URL(`../signer/main${extname(import.meta.url)}`, import.meta.url));

/** How long a signer may try a job again while the token is busy, in milliseconds: not so long that it is taken for hung. */
const BUSY_MS_MAX = 1_000;

/** A signer that may not have started: then its 'error' tells, and `stderr` may be missing. */
export interface SpawnedSigner {
  readonly child: ChildProcess;
  /** The front's end of the socketpair. */
  readonly fd: number;
}

/**
 * Starts a signer. It gets no secret by argument or environment: the configuration and the PIN follow by the socketpair.
 * Throws when no descriptors are left for it.
 */
export function spawnSigner(token: TokenConfig): SpawnedSigner {
  const [fd, signerFd] = socketPair();
  try {
    return { child: spawnWith(signerFd, token), fd };
  } catch (thrown) {
    closeSync(fd);
    throw thrown;
  } finally {
    closeSync(signerFd);
  }
}

/** What a signer of this token is told first. */
export function configurationOf(token: TokenConfig): SignerConfiguration {
  return {
    module: token.module,
    verify: token.verify,
    tokenBusyMs: Math.min(BUSY_MS_MAX, token.sign_hang_ms / 2),
    publicKeyFiles: token.public_key_files,
    sessions: token.sessions,
    busyPollUs: token.busy_poll_us,
    ...(token.library_parameters !== undefined && { libraryParameters: token.library_parameters }),
    ...(token.token_label !== undefined && { tokenLabel: token.token_label }),
    ...(token.token_serial !== undefined && { tokenSerial: token.token_serial }),
    ...(token.slot !== undefined && { slot: token.slot }),
  };
}

function spawnWith(signerFd: number, token: TokenConfig): ChildProcess {
  return spawn(process.execPath, [...nodeFlags(), PROGRAM], {
    // Its end becomes descriptor 3, which src/signer/connection.ts reads and writes.
    stdio: ['ignore', 'ignore', 'pipe', signerFd],
    env: signerEnvironment(token),
    // In a session of its own, so that Ctrl-C at a terminal ends the front only, which then drains.
    detached: true,
  });
}

/** Nothing of the front's environment reaches a vendor's library but what the configuration names. */
function signerEnvironment(token: TokenConfig): NodeJS.ProcessEnv {
  const { PATH, LANG } = process.env;
  return {
    ...(PATH !== undefined && { PATH }),
    ...(LANG !== undefined && { LANG }),
    ...token.environment,
  };
}

/** A signer allocates little and for short: small spaces keep its memory small at no cost in speed. In MiB. */
const MEMORY_FLAGS = ['--max-semi-space-size=1', '--max-old-space-size=64', '--v8-pool-size=1'];

/** From the source, the signer needs the loader that this process was given (`--import=tsx`), and no other flag of it. */
function nodeFlags(): string[] {
  const given = extname(PROGRAM) === '.ts' ? process.execArgv : [];
  const loader = given.filter((flag, at) => LOADER_FLAG.test(flag) || /^--(import|require)$/.test(given[at - 1] ?? ''));
  return [...loader, ...MEMORY_FLAGS];
}

const LOADER_FLAG = /^--(import|require)(=|$)/;
