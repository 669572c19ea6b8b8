import type { Algorithm } from '../algorithms.js';
import type { PublicKey } from '../public-key.js';
import type { Use } from '../sign-job.js';
import type { Tls12Group } from '../tls-groups.js';
import { isCertificationRequestOf } from './csr-message.js';
import { isTls12ClientMessage } from './tls12-client-message.js';
import { isTls12ServerMessage } from './tls12-server-message.js';
import { tls13UseOf } from './tls13-message.js';

/** A use that shows in the message itself. */
export type RecognisedUse = Exclude<Use, 'digest'>;

/**
 * What a whole message is, by its own bytes (docs/tls-bound-signing.md), or undefined if it is nothing that Signet knows.
 * No message is two things: tls13-* begin with a space, csr with 0x30, tls12-client with 0x01, and tls12-server, whose
 * first 64 bytes are free, refuses whatever is built like one of the others.
 */
export function recogniseUse(
  message: Uint8Array,
  algorithm: Algorithm,
  key: PublicKey,
  groups: ReadonlySet<Tls12Group>,
): RecognisedUse | undefined {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  const tls13 = tls13UseOf(bytes);
  // RFC 8446 section 4.2.3: the rsa_pkcs1 schemes are for signatures in certificates, never for CertificateVerify.
  if (tls13) return algorithm.padding === 'pkcs1' ? undefined : tls13;
  if (isTls12ServerMessage(bytes, groups)) return 'tls12-server';
  if (isTls12ClientMessage(bytes)) return 'tls12-client';
  if (isCertificationRequestOf(bytes, key.spki)) return 'csr';
  return undefined;
}
