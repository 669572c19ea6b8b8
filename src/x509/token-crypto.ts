import type { webcrypto } from 'node:crypto';
import type { PublicKey } from '../public-key.js';

/** A key that signs certificates and requests without showing its private half. */
export interface CertificateSigner {
  readonly key: PublicKey;
  /** RSA PKCS#1 v1.5 with SHA-256, ECDSA as r‖s with the hash of the curve, or Ed25519, over the whole of `tbs`. */
  sign(tbs: Uint8Array): Promise<Uint8Array> | Uint8Array;
}

/**
 * A signer dressed as Web Crypto, as far as the generators of @peculiar/x509 look: they export the public key, sign with the private
 * one, and read the algorithm off it. No private key is anywhere near.
 */
export function cryptoOf(signer: CertificateSigner): webcrypto.Crypto {
  const subtle = {
    async exportKey(): Promise<ArrayBuffer> {
      return arrayBuffer(signer.key.spki);
    },
    async sign(_algorithm: unknown, _key: unknown, tbs: webcrypto.BufferSource): Promise<ArrayBuffer> {
      return arrayBuffer(await signer.sign(bytesOf(tbs)));
    },
  };
  return { subtle } as unknown as webcrypto.Crypto;
}

/** The pair of handles that the generators want; both say only what kind of key it is. */
export function keyPairOf(signer: CertificateSigner): {
  publicKey: webcrypto.CryptoKey;
  privateKey: webcrypto.CryptoKey;
} {
  const algorithm = webAlgorithmOf(signer.key);
  const publicKey = {
    type: 'public',
    algorithm,
    extractable: true,
    usages: ['verify'],
  } as unknown as webcrypto.CryptoKey;
  const privateKey = {
    type: 'private',
    algorithm,
    extractable: false,
    usages: ['sign'],
  } as unknown as webcrypto.CryptoKey;
  return { publicKey, privateKey };
}

/** Web Crypto's name of the signature that `CertificateSigner.sign` makes. */
export function webAlgorithmOf(key: PublicKey): webcrypto.EcdsaParams & { namedCurve?: string } {
  switch (key.type) {
    case 'rsa':
      return { name: 'RSASSA-PKCS1-v1_5', hash: { name: 'SHA-256' } };
    case 'ec':
      return { name: 'ECDSA', namedCurve: `P-${key.bits}`, hash: { name: EC_HASHES[key.bits] ?? '' } };
    case 'ed25519':
      // Ed25519 hashes itself; the generators want the field all the same and do not write it.
      return { name: 'Ed25519', hash: { name: '' } };
  }
}

const EC_HASHES: Readonly<Record<number, string>> = { 256: 'SHA-256', 384: 'SHA-384', 521: 'SHA-512' };

function bytesOf(source: webcrypto.BufferSource): Uint8Array {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
}

function arrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
