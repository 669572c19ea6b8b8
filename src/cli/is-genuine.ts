import { constants, verify as verifySignature } from 'node:crypto';
import type { Algorithm } from '../algorithms.js';
import type { PublicKey } from '../public-key.js';

/** Whether it is a signature of the key over the message, with that algorithm. */
export function isGenuine(key: PublicKey, algorithm: Algorithm, message: Buffer, signature: Buffer): boolean {
  const padding = algorithm.padding === 'pss' ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  const keyAndPadding =
    key.type === 'rsa' ? { key: key.keyObject, padding, saltLength: algorithm.digestBytes } : { key: key.keyObject };
  return verifySignature(algorithm.hash, message, keyAndPadding, signature);
}
