import { hash } from 'node:crypto';
import pkcs11js from 'pkcs11js';
import type { Algorithm, HashName } from '../algorithms.js';
import { ecdsaDer } from './der.js';
import type { Token } from './token.js';

/** More than any signature of ours (RSA-4096: 512), so that CKR_BUFFER_TOO_SMALL cannot happen and leave the operation open. */
const SIGNATURE_BYTES_MAX = 1024;

/**
 * Exactly one C_SignInit and one C_Sign; the signature as TLS carries it. The algorithm must fit the key: SoftHSM 2.6.1 crashes on a
 * mechanism that does not fit. Throws what pkcs11js throws. What callers ask for is signed by native/signer/sign_job.c, not here.
 */
export function makeSignature(
  { p11, session }: Token,
  handle: pkcs11js.Handle,
  algorithm: Algorithm,
  message: Buffer,
): Buffer {
  p11.C_SignInit(session, mechanismOf(algorithm), handle);
  const made = p11.C_Sign(session, tokenInput(algorithm, message), Buffer.alloc(SIGNATURE_BYTES_MAX));
  return algorithm.keyType === 'ec' ? ecdsaDer(made) : made;
}

/** What the mechanism takes: the digest, for PKCS#1 v1.5 inside its DigestInfo, for Ed25519 the message itself. */
function tokenInput(algorithm: Algorithm, message: Buffer): Buffer {
  if (algorithm.hash === undefined) return message;
  const digest = hash(algorithm.hash, message, 'buffer');
  const head = digestInfoHeadOf(algorithm);
  return head ? Buffer.concat([head, digest]) : digest;
}

/** DigestInfo up to the digest (RFC 8017 section 9.2, note 1). */
const DIGEST_INFO_HEAD: Readonly<Record<HashName, Buffer>> = {
  sha256: Buffer.from('3031300d060960864801650304020105000420', 'hex'),
  sha384: Buffer.from('3041300d060960864801650304020205000430', 'hex'),
  sha512: Buffer.from('3051300d060960864801650304020305000440', 'hex'),
};

/** What stands before the digest in the input of CKM_RSA_PKCS; undefined for other mechanisms. */
export function digestInfoHeadOf({ padding, hash }: Algorithm): Buffer | undefined {
  return padding === 'pkcs1' && hash !== undefined ? DIGEST_INFO_HEAD[hash] : undefined;
}

function mechanismOf(algorithm: Algorithm): pkcs11js.Mechanism {
  const pss = pssOf(algorithm);
  return { mechanism: algorithm.mechanism, ...(pss && { parameter: pssParameter(pss) }) };
}

/** CK_RSA_PKCS_PSS_PARAMS. */
type PssNumbers = readonly [hashAlg: number, mgf: number, saltLen: number];

const PSS: Readonly<Record<HashName, PssNumbers>> = {
  sha256: [pkcs11js.CKM_SHA256, pkcs11js.CKG_MGF1_SHA256, 32],
  sha384: [pkcs11js.CKM_SHA384, pkcs11js.CKG_MGF1_SHA384, 48],
  sha512: [pkcs11js.CKM_SHA512, pkcs11js.CKG_MGF1_SHA512, 64],
};

/** The parameter of CKM_RSA_PKCS_PSS, whose salt is as long as the digest (RFC 8446 section 4.2.3); undefined for other mechanisms. */
export function pssOf({ padding, hash }: Algorithm): PssNumbers | undefined {
  return padding === 'pss' && hash !== undefined ? PSS[hash] : undefined;
}

function pssParameter([hashAlg, mgf, saltLen]: PssNumbers): pkcs11js.RsaPSS {
  return { type: pkcs11js.CK_PARAMS_RSA_PSS, hashAlg, mgf, saltLen };
}
