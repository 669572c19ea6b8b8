import { constants, verify } from 'node:crypto';
import type { Algorithm } from '../algorithms.js';
import type { PublicKey } from '../public-key.js';
import { verifiesDigest } from './verify-digest.js';

export type VerifyPolicy = 'always' | 'first' | 'sample';

/** With `sample`, one signature in so many is verified. */
const SAMPLE = 64;

/**
 * Whether the signature that follows `made` others of the same handle is to be verified (docs/design.md, decision 9). RSA is
 * always: one faulty RSA-CRT signature gives the key away (Boneh, DeMillo, Lipton).
 */
export function verificationDue(policy: VerifyPolicy, algorithm: Algorithm, made: number): boolean {
  if (policy === 'always' || algorithm.keyType === 'rsa') return true;
  return policy === 'first' ? made === 0 : made % SAMPLE === 0;
}

/** Whether a signature, as TLS carries it, is the key's over the message or the digest. */
export function verifies(
  key: PublicKey,
  algorithm: Algorithm,
  input: Buffer,
  inputIsDigest: boolean,
  signature: Buffer,
): boolean {
  if (inputIsDigest) return verifiesDigest(key, algorithm, input, signature);
  return verify(algorithm.hash ?? null, input, { key: key.keyObject, ...paddingOf(algorithm) }, signature);
}

function paddingOf({ padding, digestBytes }: Algorithm): { padding?: number; saltLength?: number } {
  if (padding === 'pkcs1') return { padding: constants.RSA_PKCS1_PADDING };
  if (padding === 'pss') return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: digestBytes };
  return {};
}
