import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Measured } from '../measured.js';

export interface SocketLoadWish {
  readonly socket: string;
  /** A folder for the message. */
  readonly folder: string;
  readonly spkiSha256: string;
  /** IANA code point. */
  readonly scheme: number;
  /** Threads, each with a connection and one request in flight. */
  readonly clients: number;
  readonly count: number;
}

const PROGRAM = join(import.meta.dirname, '../../build/native/signet_sign_loop');
/** Signatures before the measurement, not in its count. */
export const WARMUP_SIGNATURES = 50;

/** Load through the C client library, as the OpenSSL provider makes it. Blocks; throws when one signature fails. */
export function runSocketLoad(wish: SocketLoadWish): Measured {
  const message = join(wish.folder, 'message');
  writeFileSync(message, tls13CertificateVerify());
  const options = {
    socket: wish.socket,
    spki: wish.spkiSha256,
    scheme: wish.scheme,
    message,
    count: wish.count,
    warmup: WARMUP_SIGNATURES,
    concurrency: wish.clients,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return JSON.parse(execFileSync(PROGRAM, args, { encoding: 'utf8' }));
}

/** RFC 8446 section 4.4.3, with the transcript hash of nothing in particular. */
function tls13CertificateVerify(): Buffer {
  return Buffer.concat([Buffer.alloc(64, 0x20), Buffer.from('TLS 1.3, server CertificateVerify\0'), randomBytes(32)]);
}
