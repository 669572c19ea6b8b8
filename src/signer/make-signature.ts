import { hash } from 'node:crypto';
import pkcs11js from 'pkcs11js';
import type { Algorithm, HashName } from '../algorithms.js';
import { ecdsaDer } from './der.js';
import { newOutput } from './output.js';
import type { SessionThreads } from './session-threads.js';
import type { Token } from './token.js';

/** A signature as TLS carries it, and the time of C_SignInit and C_Sign together in microseconds. */
export interface MadeSignature {
  /** For RSA and Ed25519 a view into a buffer that the next signature overwrites. */
  readonly signature: Buffer;
  readonly tokenUs: number;
}

const output = newOutput();

/**
 * Exactly one C_SignInit and one C_Sign. The algorithm must fit the key and a digest its length: SoftHSM 2.6.1 crashes on a
 * mechanism that does not fit. Throws what pkcs11js throws.
 */
export function makeSignature(
  { p11, session }: Token,
  handle: pkcs11js.Handle,
  algorithm: Algorithm,
  input: Buffer,
  inputIsDigest: boolean,
): MadeSignature {
  const toSign = tokenInput(algorithm, input, inputIsDigest);
  const mechanism = mechanismOf(algorithm);
  const begun = performance.now();
  p11.C_SignInit(session, mechanism, handle);
  const made = p11.C_Sign(session, toSign, output);
  const tokenUs = Math.round((performance.now() - begun) * 1000);
  return { signature: asTlsCarriesIt(algorithm, made), tokenUs };
}

/** The same in a session of its own; undefined if none was free before the deadline. Rejects with what `ckrCodeOf` knows. */
export async function makeSignatureAside(
  threads: SessionThreads,
  key: pkcs11js.Handle,
  algorithm: Algorithm,
  input: Buffer,
  inputIsDigest: boolean,
  deadlineMs: number,
): Promise<MadeSignature | undefined> {
  const { mechanism } = algorithm;
  const toSign = tokenInput(algorithm, input, inputIsDigest);
  const made = await threads.sign({ key, mechanism, pss: pssOf(algorithm), input: toSign, deadlineMs });
  return made && { signature: asTlsCarriesIt(algorithm, made.signature), tokenUs: made.tokenUs };
}

function asTlsCarriesIt({ keyType }: Algorithm, made: Buffer): Buffer {
  return keyType === 'ec' ? ecdsaDer(made) : made;
}

/** What the mechanism takes: the digest, for PKCS#1 v1.5 inside its DigestInfo, for Ed25519 the message itself. */
function tokenInput(algorithm: Algorithm, input: Buffer, inputIsDigest: boolean): Buffer {
  if (algorithm.hash === undefined) return input;
  const digest = inputIsDigest ? input : hash(algorithm.hash, input, 'buffer');
  return algorithm.padding === 'pkcs1' ? digestInfo(algorithm.hash, digest) : digest;
}

/** DigestInfo up to the digest (RFC 8017 section 9.2, note 1). */
const DIGEST_INFO_HEAD: Readonly<Record<HashName, Buffer>> = {
  sha256: Buffer.from('3031300d060960864801650304020105000420', 'hex'),
  sha384: Buffer.from('3041300d060960864801650304020205000430', 'hex'),
  sha512: Buffer.from('3051300d060960864801650304020305000440', 'hex'),
};

export function digestInfo(hash: HashName, digest: Buffer): Buffer {
  return Buffer.concat([DIGEST_INFO_HEAD[hash], digest]);
}

const mechanisms = new Map<Algorithm, pkcs11js.Mechanism>();

function mechanismOf(algorithm: Algorithm): pkcs11js.Mechanism {
  let mechanism = mechanisms.get(algorithm);
  if (!mechanism) {
    const pss = pssOf(algorithm);
    mechanism = { mechanism: algorithm.mechanism, ...(pss && { parameter: pssParameter(pss) }) };
    mechanisms.set(algorithm, mechanism);
  }
  return mechanism;
}

type PssNumbers = readonly [hashAlg: number, mgf: number, saltLen: number];

const PSS: Readonly<Record<HashName, PssNumbers>> = {
  sha256: [pkcs11js.CKM_SHA256, pkcs11js.CKG_MGF1_SHA256, 32],
  sha384: [pkcs11js.CKM_SHA384, pkcs11js.CKG_MGF1_SHA384, 48],
  sha512: [pkcs11js.CKM_SHA512, pkcs11js.CKG_MGF1_SHA512, 64],
};

/** The salt is as long as the digest (RFC 8446 section 4.2.3). */
function pssOf({ padding, hash }: Algorithm): PssNumbers | undefined {
  return padding === 'pss' && hash !== undefined ? PSS[hash] : undefined;
}

function pssParameter([hashAlg, mgf, saltLen]: PssNumbers): pkcs11js.RsaPSS {
  return { type: pkcs11js.CK_PARAMS_RSA_PSS, hashAlg, mgf, saltLen };
}
