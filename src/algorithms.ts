import { SignatureScheme } from './gen/signet/v1/sign.js';
import type { PublicKey } from './public-key.js';

export type HashName = 'sha256' | 'sha384' | 'sha512';

/** What there is to know of one SignatureScheme; the only such table of the service. */
export interface Algorithm {
  readonly scheme: SignatureScheme;
  /** IANA's name. */
  readonly name: string;
  readonly keyType: PublicKey['type'];
  /** EC: the field's bits that the key must have; 0 where the scheme does not bind them. */
  readonly bits: number;
  /** The hash over the message; undefined for ed25519, which signs the message itself. */
  readonly hash: HashName | undefined;
  /** Length of a digest in bytes; 0 for ed25519. */
  readonly digestBytes: number;
  /** PSS has salt length = digest length and MGF1 of the same hash (RFC 8446 section 4.2.3). */
  readonly padding: 'pkcs1' | 'pss' | undefined;
  /** The PKCS#11 mechanism that takes the digest (or, for CKM_EDDSA, the message). */
  readonly mechanism: number;
}

/** PKCS#11 v3.0, Current Mechanisms. */
const CKM_RSA_PKCS = 0x0001;
const CKM_RSA_PKCS_PSS = 0x000d;
const CKM_ECDSA = 0x1041;
const CKM_EDDSA = 0x1057;

const DIGEST_BYTES: Readonly<Record<HashName, number>> = { sha256: 32, sha384: 48, sha512: 64 };

/** In the order of preference. */
export const ALGORITHMS: readonly Algorithm[] = [
  ecdsa(SignatureScheme.SIGNATURE_SCHEME_ECDSA_SECP256R1_SHA256, 'ecdsa_secp256r1_sha256', 256, 'sha256'),
  ecdsa(SignatureScheme.SIGNATURE_SCHEME_ECDSA_SECP384R1_SHA384, 'ecdsa_secp384r1_sha384', 384, 'sha384'),
  ecdsa(SignatureScheme.SIGNATURE_SCHEME_ECDSA_SECP521R1_SHA512, 'ecdsa_secp521r1_sha512', 521, 'sha512'),
  rsa(SignatureScheme.SIGNATURE_SCHEME_RSA_PSS_RSAE_SHA256, 'rsa_pss_rsae_sha256', 'pss', 'sha256'),
  rsa(SignatureScheme.SIGNATURE_SCHEME_RSA_PSS_RSAE_SHA384, 'rsa_pss_rsae_sha384', 'pss', 'sha384'),
  rsa(SignatureScheme.SIGNATURE_SCHEME_RSA_PSS_RSAE_SHA512, 'rsa_pss_rsae_sha512', 'pss', 'sha512'),
  rsa(SignatureScheme.SIGNATURE_SCHEME_RSA_PSS_PSS_SHA256, 'rsa_pss_pss_sha256', 'pss', 'sha256'),
  rsa(SignatureScheme.SIGNATURE_SCHEME_RSA_PSS_PSS_SHA384, 'rsa_pss_pss_sha384', 'pss', 'sha384'),
  rsa(SignatureScheme.SIGNATURE_SCHEME_RSA_PSS_PSS_SHA512, 'rsa_pss_pss_sha512', 'pss', 'sha512'),
  rsa(SignatureScheme.SIGNATURE_SCHEME_RSA_PKCS1_SHA256, 'rsa_pkcs1_sha256', 'pkcs1', 'sha256'),
  rsa(SignatureScheme.SIGNATURE_SCHEME_RSA_PKCS1_SHA384, 'rsa_pkcs1_sha384', 'pkcs1', 'sha384'),
  rsa(SignatureScheme.SIGNATURE_SCHEME_RSA_PKCS1_SHA512, 'rsa_pkcs1_sha512', 'pkcs1', 'sha512'),
  {
    scheme: SignatureScheme.SIGNATURE_SCHEME_ED25519,
    name: 'ed25519',
    keyType: 'ed25519',
    bits: 0,
    hash: undefined,
    digestBytes: 0,
    padding: undefined,
    mechanism: CKM_EDDSA,
  },
];

const BY_SCHEME = new Map<number, Algorithm>(ALGORITHMS.map((algorithm) => [algorithm.scheme, algorithm]));
const BY_NAME = new Map<string, Algorithm>(ALGORITHMS.map((algorithm) => [algorithm.name, algorithm]));

/** IANA's names of all schemes, in the table's order. */
export const SCHEME_NAMES: readonly string[] = ALGORITHMS.map(({ name }) => name);

/** The algorithm of an IANA code point, or undefined if Signet does not make it. */
export function algorithmOf(scheme: number): Algorithm | undefined {
  return BY_SCHEME.get(scheme);
}

/** The algorithm of an IANA name such as `rsa_pss_rsae_sha256`, or undefined. */
export function algorithmNamed(name: string): Algorithm | undefined {
  return BY_NAME.get(name);
}

/** Whether a key can make the signature: its type fits and, for ECDSA, its curve. */
export function fitsKey(algorithm: Algorithm, key: PublicKey): boolean {
  return algorithm.keyType === key.type && (algorithm.bits === 0 || algorithm.bits === key.bits);
}

/** The algorithms that a key can sign with, in the table's order (preferred first). */
export function algorithmsOf(key: PublicKey): readonly Algorithm[] {
  return ALGORITHMS.filter((algorithm) => fitsKey(algorithm, key));
}

function ecdsa(scheme: SignatureScheme, name: string, bits: number, hash: HashName): Algorithm {
  return {
    scheme,
    name,
    keyType: 'ec',
    bits,
    hash,
    digestBytes: DIGEST_BYTES[hash],
    padding: undefined,
    mechanism: CKM_ECDSA,
  };
}

function rsa(scheme: SignatureScheme, name: string, padding: 'pkcs1' | 'pss', hash: HashName): Algorithm {
  const mechanism = padding === 'pss' ? CKM_RSA_PKCS_PSS : CKM_RSA_PKCS;
  return { scheme, name, keyType: 'rsa', bits: 0, hash, digestBytes: DIGEST_BYTES[hash], padding, mechanism };
}
