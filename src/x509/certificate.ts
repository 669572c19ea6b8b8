import 'reflect-metadata';
import { randomBytes, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { SignetError } from '../errors.js';
import type { PublicKey } from '../public-key.js';
import { authorityKeyIdentifier, caExtensions, keyIdentifier, leafExtensions } from './extensions.js';
import { checkNames, distinguishedName, type SubjectNames } from './subject-names.js';
import { type CertificateSigner, cryptoOf, keyPairOf, webAlgorithmOf } from './token-crypto.js';

export interface CertificateWish {
  readonly names: SubjectNames;
  /** The common name where `names` gives none. */
  readonly label: string;
  readonly days: number;
}

/** A self-signed certificate, of a CA or of a server. */
export async function selfSign(
  signer: CertificateSigner,
  wish: CertificateWish & { readonly ca: boolean },
): Promise<X509Certificate> {
  checkNames(wish.names);
  const name = distinguishedName(wish.names, wish.label);
  const extensions = wish.ca ? caExtensions(signer.key, wish.names) : leafExtensions(signer.key, wish.names);
  return build(signer, { ...wish, key: signer.key, subject: name, issuer: name, extensions });
}

/** A certificate for `key`, signed by the CA. Throws SignetError invalid_argument if `caCertificate` may not sign one. */
export async function issue(
  ca: CertificateSigner,
  caCertificate: X509Certificate,
  key: PublicKey,
  wish: CertificateWish,
): Promise<X509Certificate> {
  checkNames(wish.names);
  requireCa(caCertificate, wish.days);
  // The issuer's name must be the CA's subject byte for byte, so it is taken from the certificate and never written anew.
  const issuer = new x509.X509Certificate(caCertificate.raw);
  const extensions = [
    ...leafExtensions(key, wish.names),
    authorityKeyIdentifier(subjectKeyIdentifierOf(issuer, ca.key)),
  ];
  const subject = distinguishedName(wish.names, wish.label);
  return build(ca, { ...wish, key, subject, issuer: issuer.subjectName, extensions });
}

function requireCa(certificate: X509Certificate, days: number): void {
  if (!certificate.ca) {
    const hint = 'make one with `signet certs self-sign --ca`';
    throw new SignetError(
      'invalid_argument',
      `expected a CA certificate of the CA key; its certificate is none: ${hint}`,
    );
  }
  const until = Date.parse(certificate.validTo);
  if (until < Date.now() + days * DAY_MS) {
    throw new SignetError(
      'invalid_argument',
      `a certificate may not outlive its CA: the CA's ends on ${new Date(until).toISOString().slice(0, 10)}; ask for fewer --days`,
    );
  }
}

function subjectKeyIdentifierOf(certificate: x509.X509Certificate, key: PublicKey): string {
  return certificate.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId ?? keyIdentifier(key);
}

interface Parts {
  readonly days: number;
  readonly key: PublicKey;
  readonly subject: x509.Name;
  readonly issuer: x509.Name;
  readonly extensions: x509.Extension[];
}

async function build(signer: CertificateSigner, parts: Parts): Promise<X509Certificate> {
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: randomSerial(),
      subject: parts.subject,
      issuer: parts.issuer,
      notBefore: new Date(now - BACKDATE_MS),
      notAfter: new Date(now + parts.days * DAY_MS),
      publicKey: parts.key.spki,
      signingKey: keyPairOf(signer).privateKey,
      signingAlgorithm: webAlgorithmOf(signer.key),
      extensions: parts.extensions,
    },
    cryptoOf(signer),
  );
  return new X509Certificate(Buffer.from(certificate.rawData));
}

/** 20 bytes with the first bit 0 and the second 1: positive, and of one length (RFC 5280 section 4.1.2.2). Hexadecimal. */
function randomSerial(): string {
  const serial = randomBytes(20);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial.toString('hex');
}

const DAY_MS = 86_400_000;
/** A machine whose clock is a little behind takes the certificate at once. */
const BACKDATE_MS = 5 * 60_000;
