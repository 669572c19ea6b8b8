import { hash } from 'node:crypto';
import pkcs11js from 'pkcs11js';
import type { Algorithm, HashName } from '../algorithms.js';
import { ecdsaDer } from './der.js';
import { newOutput } from './output.js';
import type { SideSession } from './side-sessions.js';
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
  return asTlsCarriesIt(algorithm, made, begun);
}

/** The same with C_Sign in a thread of its own. Rejects with what pkcs11js throws. */
export async function makeSignatureAside(
  side: SideSession,
  handle: pkcs11js.Handle,
  algorithm: Algorithm,
  input: Buffer,
  inputIsDigest: boolean,
): Promise<MadeSignature> {
  const { p11, session, output } = side;
  side.input = tokenInput(algorithm, input, inputIsDigest);
  const mechanism = mechanismOf(algorithm);
  const begun = performance.now();
  p11.C_SignInit(session, mechanism, handle);
  const made = await p11.C_SignAsync(session, side.input, output);
  return asTlsCarriesIt(algorithm, made, begun);
}

function asTlsCarriesIt(algorithm: Algorithm, made: Buffer, begun: number): MadeSignature {
  const tokenUs = Math.round((performance.now() - begun) * 1000);
  return { signature: algorithm.keyType === 'ec' ? ecdsaDer(made) : made, tokenUs };
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
    mechanism = { mechanism: algorithm.mechanism, ...pssParameter(algorithm) };
    mechanisms.set(algorithm, mechanism);
  }
  return mechanism;
}

const PSS: Readonly<Record<HashName, { hashAlg: number; mgf: number }>> = {
  sha256: { hashAlg: pkcs11js.CKM_SHA256, mgf: pkcs11js.CKG_MGF1_SHA256 },
  sha384: { hashAlg: pkcs11js.CKM_SHA384, mgf: pkcs11js.CKG_MGF1_SHA384 },
  sha512: { hashAlg: pkcs11js.CKM_SHA512, mgf: pkcs11js.CKG_MGF1_SHA512 },
};

function pssParameter({ padding, hash, digestBytes }: Algorithm): { parameter?: pkcs11js.IParams } {
  if (padding !== 'pss' || hash === undefined) return {};
  const parameter: pkcs11js.RsaPSS = { type: pkcs11js.CK_PARAMS_RSA_PSS, ...PSS[hash], saltLen: digestBytes };
  return { parameter };
}
