import { X509Certificate } from 'node:crypto';
import pkcs11js from 'pkcs11js';
import { type PublicKey, publicKeyFromKeyObject } from '../public-key.js';
import { attributeOf, findObjects, type Token } from './token.js';

/** A certificate object. */
export interface TokenCertificate {
  /** CKA_ID, lowercase hexadecimal. */
  readonly id: string;
  readonly x509: X509Certificate;
}

/** sign.proto: a chain has at most so many certificates, of at most so many bytes. */
const CHAIN_MAX = 8;
const CERTIFICATE_BYTES_MAX = 16_384;

/** All X.509 certificates of the token. What does not parse is passed over with a warning. */
export function findCertificates(token: Token, warn: (sentence: string) => void): TokenCertificate[] {
  const found: TokenCertificate[] = [];
  for (const object of findObjects(token, [{ type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_CERTIFICATE }])) {
    const id = attributeOf(token, object, pkcs11js.CKA_ID)?.toString('hex') ?? '';
    const der = attributeOf(token, object, pkcs11js.CKA_VALUE) ?? Buffer.alloc(0);
    try {
      if (der.length > CERTIFICATE_BYTES_MAX) throw new Error(`more than ${CERTIFICATE_BYTES_MAX} bytes`);
      found.push({ id, x509: new X509Certificate(der) });
    } catch (error) {
      warn(`certificate with id ${id}: expected X.509 in DER; ${der.length} bytes came: ${(error as Error).message}`);
    }
  }
  return found;
}

/** The public key of a certificate. Throws SignetError invalid_argument for one that Signet does not sign with. */
export function publicKeyIn(certificate: TokenCertificate): PublicKey {
  return publicKeyFromKeyObject(certificate.x509.publicKey);
}

/** The key's certificate (same CKA_ID, same public key) and its issuers up to a self-signed one, as far as the token has them. */
export function chainOf(key: PublicKey, id: string, certificates: readonly TokenCertificate[]): Buffer[] {
  const leaf = certificates.find((certificate) => certificate.id === id && isOf(key, certificate));
  const chain: X509Certificate[] = [];
  for (let next = leaf?.x509; next && chain.length < CHAIN_MAX; next = issuerOf(next, chain, certificates))
    chain.push(next);
  return chain.map((certificate) => certificate.raw);
}

function isOf(key: PublicKey, certificate: TokenCertificate): boolean {
  try {
    return publicKeyIn(certificate).spkiSha256 === key.spkiSha256;
  } catch {
    return false;
  }
}

function issuerOf(
  subject: X509Certificate,
  chain: readonly X509Certificate[],
  certificates: readonly TokenCertificate[],
): X509Certificate | undefined {
  if (issued(subject, subject)) return undefined;
  return certificates.map(({ x509 }) => x509).find((issuer) => !chain.includes(issuer) && issued(subject, issuer));
}

function issued(subject: X509Certificate, issuer: X509Certificate): boolean {
  return subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
}
