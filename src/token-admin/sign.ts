import { createHash } from 'node:crypto';
import type graphene from 'graphene-pk11';
import pkcs11 from 'pkcs11js';
import type { HashName } from '../algorithms.js';
import type { PublicKey } from '../public-key.js';
import type { Session } from './open-token.js';

/** CKM_EDDSA, PKCS#11 v3.0. */
const CKM_EDDSA = 0x1057;

/** The hash that certificates and requests signed by this key use; undefined for Ed25519, which hashes itself. */
export function certificateHash(key: PublicKey): HashName | undefined {
  if (key.type === 'rsa') return 'sha256';
  if (key.type === 'ed25519') return undefined;
  return EC_HASHES[key.bits];
}

/** A hash of about the curve's strength, as TLS 1.3 pairs them (RFC 8446 section 4.2.3). */
const EC_HASHES: Readonly<Record<number, HashName>> = { 256: 'sha256', 384: 'sha384', 521: 'sha512' };

/**
 * Signs a certificate, a request or a test message on the token: RSA PKCS#1 v1.5 with SHA-256, ECDSA as r‖s, each of the
 * field's length, or Ed25519.
 */
export function signForCertificate(
  session: Session,
  privateKey: graphene.SessionObject,
  key: PublicKey,
  message: Uint8Array,
): Buffer {
  const { mechanism, input } = operationOf(key, message);
  return session
    .createSign({ name: mechanism, params: null }, privateKey.toType<graphene.Key>())
    .once(Buffer.from(input));
}

function operationOf(key: PublicKey, message: Uint8Array): { mechanism: number; input: Uint8Array } {
  const hash = certificateHash(key);
  if (key.type === 'rsa') return { mechanism: pkcs11.CKM_SHA256_RSA_PKCS, input: message };
  if (hash === undefined) return { mechanism: CKM_EDDSA, input: message };
  return { mechanism: pkcs11.CKM_ECDSA, input: createHash(hash).update(message).digest() };
}
