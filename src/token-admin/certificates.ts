import { createHash, X509Certificate } from 'node:crypto';
import { AsnConvert, AsnIntegerArrayBufferConverter } from '@peculiar/asn1-schema';
import { Certificate } from '@peculiar/asn1-x509';
import graphene from 'graphene-pk11';
import pkcs11 from 'pkcs11js';
import { SignetError } from '../errors.js';
import { publicKeyFromKeyObject } from '../public-key.js';
import { idOf } from './key-templates.js';
import { destroyQuietly, requireKept, untilWhole } from './object-damaged.js';
import type { Session } from './open-token.js';
import { findObjects, isOfKey, type TokenKey } from './token-keys.js';

/** As many as a Key message carries (keys.proto). */
export const CHAIN_CERTIFICATES_MAX = 8;

/**
 * Stores a chain, leaf first: the leaf under the key's CKA_ID and label in the place of any that it had, the others under their own
 * keys' ids unless the token has them. Throws SignetError invalid_argument: the leaf is not of this key, or a link does not fit.
 */
export function storeChain(session: Session, key: TokenKey, chain: readonly X509Certificate[]): void {
  requireChain(key, chain);
  const id = Buffer.from(key.id, 'hex');
  const sameId = findObjects(session, graphene.ObjectClass.CERTIFICATE, { id });
  const earlier = sameId.filter((object) => isOfKey(object, key.key));
  const [leaf, ...issuers] = chain as [X509Certificate, ...X509Certificate[]];
  storeCertificate(session, leaf, id, key.label);
  for (const object of earlier) session.destroy(object);
  const present = new Set(allCertificates(session).map((certificate) => certificate.fingerprint256));
  for (const issuer of issuers) {
    if (present.has(issuer.fingerprint256)) continue;
    storeCertificate(session, issuer, idOf(spkiSha256Of(issuer)), commonNameOf(issuer));
  }
}

/** The certificates of a key, leaf first, as far up as the token has them; empty where it has none. */
export function readChain(session: Session, key: TokenKey): X509Certificate[] {
  const all = allCertificates(session);
  const chain = all
    .filter((certificate) => certifies(certificate, key))
    .sort(newestFirst)
    .slice(0, 1);
  for (let last = chain[0]; last && chain.length < CHAIN_CERTIFICATES_MAX; last = chain.at(-1)) {
    const issuer = isSelfSigned(last) ? undefined : all.find((candidate) => isIssuerOf(candidate, last));
    if (!issuer || chain.includes(issuer)) break;
    chain.push(issuer);
  }
  return chain;
}

/** What a server sends: the chain without its root, which clients have of their own or not at all (RFC 8446 section 4.4.2). */
export function servedChain(chain: readonly X509Certificate[]): readonly X509Certificate[] {
  return chain.filter((certificate, i) => i === 0 || !isSelfSigned(certificate));
}

/** SHA-256 of the SubjectPublicKeyInfo that the service knows the certificate's key by, hexadecimal. */
export function spkiSha256Of({ publicKey }: X509Certificate): string {
  // A certificate of type RSASSA-PSS is for a key whose identity says rsaEncryption.
  if (publicKey.asymmetricKeyType === 'rsa-pss') return publicKeyFromKeyObject(publicKey).spkiSha256;
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  return createHash('sha256').update(spki).digest('hex');
}

export function isIssuerOf(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

export function isSelfSigned(certificate: X509Certificate): boolean {
  return isIssuerOf(certificate, certificate);
}

function requireChain(key: TokenKey, chain: readonly X509Certificate[]): void {
  const [leaf] = chain;
  if (!leaf || chain.length > CHAIN_CERTIFICATES_MAX) {
    const expected = `expected 1 to ${CHAIN_CERTIFICATES_MAX} certificates, leaf first`;
    throw new SignetError('invalid_argument', `${expected}; ${chain.length} came`);
  }
  if (!certifies(leaf, key)) {
    throw new SignetError(
      'invalid_argument',
      `the first certificate (${leaf.subject}) is not of the key "${key.label}"`,
    );
  }
  chain.slice(1).forEach((issuer, i) => {
    const below = chain[i] as X509Certificate;
    if (isIssuerOf(issuer, below)) return;
    throw new SignetError(
      'invalid_argument',
      `certificate ${i + 2} (${oneLine(issuer.subject)}) did not sign certificate ${i + 1} (${oneLine(below.subject)})`,
    );
  });
}

function certifies(certificate: X509Certificate, key: TokenKey): boolean {
  return certificate.publicKey.equals(key.key.keyObject) || spkiSha256Of(certificate) === key.key.spkiSha256;
}

function newestFirst(a: X509Certificate, b: X509Certificate): number {
  return Date.parse(b.validFrom) - Date.parse(a.validFrom);
}

function allCertificates(session: Session): X509Certificate[] {
  return findObjects(session, graphene.ObjectClass.CERTIFICATE).flatMap((object) => {
    try {
      return [new X509Certificate(object.getAttribute('value') as Buffer)];
    } catch {
      // Tokens also hold attribute certificates and vendors' own; they are not in anybody's chain.
      return [];
    }
  });
}

/** CKA_SUBJECT, CKA_ISSUER and CKA_SERIAL_NUMBER are DER (PKCS#11 v2.40 section 4.6.3). */
function storeCertificate(session: Session, certificate: X509Certificate, id: Buffer, label: string): void {
  const { tbsCertificate } = AsnConvert.parse(certificate.raw, Certificate);
  const value = Buffer.from(certificate.raw);
  const template = {
    class: graphene.ObjectClass.CERTIFICATE,
    certType: pkcs11.CKC_X_509,
    token: true,
    private: false,
    label,
    id,
    subject: Buffer.from(AsnConvert.serialize(tbsCertificate.subject)),
    issuer: Buffer.from(AsnConvert.serialize(tbsCertificate.issuer)),
    serial: Buffer.from(AsnIntegerArrayBufferConverter.toASN(tbsCertificate.serialNumber).toBER()),
    value,
  };
  untilWhole(() => {
    const object = session.create(template);
    try {
      requireKept(object, { label, id, value });
    } catch (thrown) {
      destroyQuietly(session, object);
      throw thrown;
    }
  });
}

function commonNameOf(certificate: X509Certificate): string {
  return /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? oneLine(certificate.subject);
}

/** node writes each part of a name in a line of its own. */
function oneLine(name: string): string {
  return name.replaceAll('\n', ', ');
}
