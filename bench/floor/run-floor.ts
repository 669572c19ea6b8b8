import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { TestToken } from '../../test/fixtures/softhsm-token.js';
import type { Measured } from '../measured.js';

export type FloorMechanism = 'ecdsa-p256' | 'rsa-pkcs1' | 'rsa-pss';

export interface FloorWish {
  readonly key: string;
  readonly mechanism: FloorMechanism;
  readonly sessions: number;
  /** Over how many processes the sessions are spread; the default is 1. */
  readonly processes?: number | undefined;
  readonly seconds: number;
  /** In place of the token's own. */
  readonly module?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

const BUILT = join(import.meta.dirname, '../../build/bench');

/** What a token does when only the C loop of floor.c stands before it; or libcrypto in its place. Blocks until it is measured. */
export function runFloor(token: TestToken, wish: FloorWish, program: 'floor' | 'floor_openssl' = 'floor'): Measured {
  const { key, mechanism, sessions, processes = 1, seconds, module = token.module } = wish;
  const options = { module, token: token.label, 'pin-file': token.pinFile, key, mechanism };
  const numbers = { sessions, processes, seconds };
  const args = Object.entries({ ...options, ...numbers }).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const env = { ...process.env, ...token.tokenConfig().environment, ...wish.environment };
  return JSON.parse(execFileSync(join(BUILT, program), args, { env, encoding: 'utf8' }));
}

/**
 * What a round trip over a Unix socket takes beyond the other side's work, in microseconds (wake.c): the machine's part in what
 * any service in another process adds, whatever it is written in.
 */
export function wakeUs(): number {
  return Number(execFileSync(join(BUILT, 'wake'), { encoding: 'utf8' }));
}
