import { createHash } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import { SubjectPublicKeyInfo } from '@peculiar/asn1-x509';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
} from '@peculiar/x509';
import type { PublicKey } from '../public-key.js';
import type { SubjectNames } from './subject-names.js';

/** A server's or client's certificate. keyUsage is digitalSignature only: no key of Signet decrypts. */
export function leafExtensions(key: PublicKey, names: SubjectNames): Extension[] {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
    new SubjectKeyIdentifierExtension(keyIdentifier(key)),
    ...alternativeNames(names),
  ];
}

/** A CA's certificate that signs leaves and lists of revoked ones, and no further CAs. */
export function caExtensions(key: PublicKey, names: SubjectNames): Extension[] {
  return [
    new BasicConstraintsExtension(true, 0, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    new SubjectKeyIdentifierExtension(keyIdentifier(key)),
    ...alternativeNames(names),
  ];
}

/** Points at the issuer's key. `keyId` is the issuer's own subjectKeyIdentifier, hexadecimal. */
export function authorityKeyIdentifier(keyId: string): Extension {
  return new AuthorityKeyIdentifierExtension(keyId);
}

export function alternativeNames({ dns, ip }: SubjectNames): Extension[] {
  if (dns.length + ip.length === 0) return [];
  return [
    new SubjectAlternativeNameExtension([
      ...dns.map((value) => ({ type: 'dns' as const, value })),
      ...ip.map((value) => ({ type: 'ip' as const, value })),
    ]),
  ];
}

/** SHA-1 of the public key's BIT STRING (RFC 5280 section 4.2.1.2, method 1), hexadecimal; a name, not a protection. */
export function keyIdentifier(key: PublicKey): string {
  const { subjectPublicKey } = AsnConvert.parse(key.spki, SubjectPublicKeyInfo);
  return createHash('sha1').update(Buffer.from(subjectPublicKey)).digest('hex');
}
