import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { SignetError } from './errors.js';

/** A public key in its canonical form; its identity is `spkiSha256` (docs/design.md, decision 8). */
export interface PublicKey {
  readonly type: 'rsa' | 'ec' | 'ed25519';
  /** RSA: bits of the modulus; EC: bits of the field (256, 384, 521); Ed25519: 255. */
  readonly bits: number;
  /** Canonical SubjectPublicKeyInfo, DER: rsaEncryption, or a named curve with an uncompressed point. */
  readonly spki: Buffer;
  /** SHA-256 of `spki`, 64 lowercase hexadecimal digits: how the service names a key inside. */
  readonly spkiSha256: string;
  /** For verification. */
  readonly keyObject: KeyObject;
}

/** RSA sizes that a TLS key may have, in bits. */
export const RSA_BITS_MIN = 2048;
export const RSA_BITS_MAX = 4096;

const CURVE_BITS: Readonly<Record<string, number>> = { prime256v1: 256, secp384r1: 384, secp521r1: 521 };

/** Any SubjectPublicKeyInfo (DER) in canonical form. Throws SignetError invalid_argument for a key that Signet does not sign with. */
export function publicKeyFromSpki(spki: Uint8Array): PublicKey {
  let keyObject: KeyObject;
  try {
    keyObject = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (cause) {
    throw new SignetError('invalid_argument', 'expected a DER SubjectPublicKeyInfo; what came does not parse', {
      cause,
    });
  }
  return publicKeyFromKeyObject(keyObject);
}

/** A node KeyObject (public or private) in canonical form. Throws as `publicKeyFromSpki` does. */
export function publicKeyFromKeyObject(anyKey: KeyObject): PublicKey {
  const given = freshPublicKey(anyKey);
  const { type, bits } = kindOf(given);
  // A JWK has room for the numbers only, so the way through it drops what a SubjectPublicKeyInfo may say differently:
  // a compressed point, explicit curve parameters, the RSASSA-PSS algorithm identifier.
  const canonical =
    given.asymmetricKeyType === 'rsa-pss'
      ? given
      : createPublicKey({ key: given.export({ format: 'jwk' }), format: 'jwk' });
  const spki =
    type === 'rsa' && given.asymmetricKeyType === 'rsa-pss'
      ? rsaEncryptionSpki(given)
      : (canonical.export({ format: 'der', type: 'spki' }) as Buffer);
  const keyObject = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  return { type, bits, spki, spkiSha256: createHash('sha256').update(spki).digest('hex'), keyObject };
}

/**
 * A public key that shares nothing with the key it comes from. Node 20 hangs for good when a garbage collection that drops
 * the job of generateKeyPair falls into a JWK export or a look at the details of the key which that job made: both take one lock.
 */
function freshPublicKey(key: KeyObject): KeyObject {
  const shared = key.type === 'private' ? createPublicKey(key) : key;
  const der = shared.export({ format: 'der', type: 'spki' }) as Buffer;
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}

function kindOf(key: KeyObject): { type: PublicKey['type']; bits: number } {
  const details = key.asymmetricKeyDetails;
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return { type: 'ed25519', bits: 255 };
    case 'ec': {
      const bits = CURVE_BITS[details?.namedCurve ?? ''];
      if (bits) return { type: 'ec', bits };
      throw unsupported(`an EC key on ${details?.namedCurve ?? 'an unnamed curve'}`);
    }
    case 'rsa':
    case 'rsa-pss': {
      const bits = details?.modulusLength ?? 0;
      if (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX) return { type: 'rsa', bits };
      throw unsupported(`an RSA key of ${bits} bits`);
    }
    default:
      throw unsupported(`a key of type ${key.asymmetricKeyType}`);
  }
}

function unsupported(what: string): SignetError {
  const expected = `RSA of ${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits, EC on P-256, P-384 or P-521, or Ed25519`;
  return new SignetError('invalid_argument', `expected a key of ${expected}; ${what} came`);
}

/** The same RSA numbers under rsaEncryption; node exports no JWK of an rsa-pss key. */
function rsaEncryptionSpki(key: KeyObject): Buffer {
  const rsaPublicKey = bitStringContent(key.export({ format: 'der', type: 'spki' }) as Buffer);
  return createPublicKey({ key: rsaPublicKey, format: 'der', type: 'pkcs1' }).export({
    format: 'der',
    type: 'spki',
  }) as Buffer;
}

/** The content of the BIT STRING that ends a SubjectPublicKeyInfo which OpenSSL wrote, so every length is definite and minimal. */
function bitStringContent(spki: Buffer): Buffer {
  const outer = derValue(spki, 0);
  const algorithm = derValue(spki, outer.start);
  const bits = derValue(spki, algorithm.end);
  return spki.subarray(bits.start + 1, bits.end);
}

function derValue(der: Buffer, at: number): { start: number; end: number } {
  const first = der.readUInt8(at + 1);
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes);
  const start = at + 2 + lengthBytes;
  return { start, end: start + length };
}
