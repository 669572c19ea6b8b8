import { type ChildProcess, spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TokenConfig } from '../config/schema.js';

/** Index of the socketpair in the child's stdio; src/signer/connection.ts reads and writes this descriptor. */
export const FRONT_STDIO = 3;

/** `main.ts` when the service runs from its source, `main.js` when it is compiled. */
const PROGRAM = fileURLToPath(new URL(`../signer/main${extname(import.meta.url)}`, import.meta.url));

/** Starts a signer. It gets no secret by argument or environment: the configuration and the PIN follow by the socketpair. */
export function spawnSigner(token: TokenConfig): ChildProcess {
  return spawn(process.execPath, [...nodeFlags(), PROGRAM], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: signerEnvironment(token),
    // In a session of its own, so that Ctrl-C at a terminal ends the front only, which then drains.
    detached: true,
  });
}

/** Nothing of the front's environment reaches a vendor's library but what the configuration names. */
function signerEnvironment(token: TokenConfig): NodeJS.ProcessEnv {
  const { PATH, LANG } = process.env;
  return { ...(PATH !== undefined && { PATH }), ...(LANG !== undefined && { LANG }), ...token.environment };
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
