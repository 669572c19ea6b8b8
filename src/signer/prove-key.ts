import { randomBytes } from 'node:crypto';
import type pkcs11js from 'pkcs11js';
import type { PublicKey } from '../public-key.js';
import { makeSignature } from './make-signature.js';
import { algorithmsOn } from './mechanisms.js';
import type { Token } from './token.js';
import { verifies } from './verify.js';

/** Nothing that any protocol signs, and the signature never leaves the signer. */
const PROOF = Buffer.from('Signet: proof that a private key and a public key are a pair\0');

/**
 * One signature, verified: whether the private key of this handle and the public key are a pair. The handle must be of the key's type:
 * SoftHSM crashes on a mechanism that does not fit. Throws what pkcs11js throws.
 */
export function provesKey(token: Token, handle: pkcs11js.Handle, key: PublicKey): boolean {
  const algorithm = algorithmsOn(token, key)[0];
  if (!algorithm) return false;
  const message = Buffer.concat([PROOF, randomBytes(32)]);
  return verifies(key, algorithm, message, makeSignature(token, handle, algorithm, message));
}
