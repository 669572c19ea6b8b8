import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RunningService } from '../fixtures/running-service.js';

export interface SignLoopWish {
  readonly spkiSha256: Buffer;
  /** IANA code point. */
  readonly scheme: number;
  /** Threads, each with a connection and one request at a time. */
  readonly concurrency: number;
  readonly count: number;
}

/** What native-test/client/signet_sign_loop.c prints. */
export interface SignLoopReport {
  readonly count: number;
  readonly errors: number;
  readonly seconds: number;
  readonly per_second: number;
  readonly p50_us: number;
  readonly p99_us: number;
  readonly p999_us: number;
  readonly max_us: number;
  readonly first_error?: string;
}

const PROJECT = join(import.meta.dirname, '../..');
const PROGRAM = join(PROJECT, 'build/native/signet_sign_loop');
const TIMEOUT_MS = 5_000;

/** A closed loop of the C client library, as the OpenSSL provider uses it. Requests that fail are counted in its report. */
export async function signLoop(service: RunningService, wish: SignLoopWish): Promise<SignLoopReport> {
  build();
  const message = join(service.folder, 'message');
  // What TLS 1.3 has a server sign (RFC 8446 section 4.4.3).
  const words = Buffer.from('TLS 1.3, server CertificateVerify\0');
  writeFileSync(message, Buffer.concat([Buffer.alloc(64, 0x20), words, randomBytes(32)]));
  const { spkiSha256, ...numbers } = wish;
  const options = {
    ...numbers,
    socket: service.webSocket,
    spki: spkiSha256.toString('hex'),
    message,
    'timeout-ms': TIMEOUT_MS,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  // It ends with 1 when a request failed, and prints its report all the same.
  const { stdout } = await promisify(execFile)(PROGRAM, args).catch((failed) => failed as { stdout: string });
  return JSON.parse(stdout) as SignLoopReport;
}

/** Several test files may want it at once: one builds, the others wait. */
function build(): void {
  const folder = join(PROJECT, 'build/native-test');
  mkdirSync(folder, { recursive: true });
  const make = ['make', '--silent', '-C', join(PROJECT, 'native-test/client'), 'sign-loop'];
  execFileSync('flock', [join(folder, '.sign-loop-lock'), ...make], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (!existsSync(PROGRAM)) throw new Error('make -C native-test/client sign-loop made no signet_sign_loop');
}
