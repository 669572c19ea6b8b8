import { constants, verify } from 'node:crypto';
import type { Algorithm } from '../algorithms.js';
import type { PublicKey } from '../public-key.js';

/** Whether a signature, as TLS carries it, is the key's over the message. */
export function verifies(key: PublicKey, algorithm: Algorithm, message: Buffer, signature: Buffer): boolean {
  return verify(algorithm.hash ?? null, message, { key: key.keyObject, ...paddingOf(algorithm) }, signature);
}

function paddingOf({ padding, digestBytes }: Algorithm): { padding?: number; saltLength?: number } {
  if (padding === 'pkcs1') return { padding: constants.RSA_PKCS1_PADDING };
  if (padding === 'pss') return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: digestBytes };
  return {};
}
