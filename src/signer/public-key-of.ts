import { createPublicKey } from 'node:crypto';
import pkcs11js from 'pkcs11js';
import { SignetError } from '../errors.js';
import { type PublicKey, publicKeyFromKeyObject, publicKeyFromSpki } from '../public-key.js';
import { ecSpki, ed25519Spki, octetStringContent } from './der.js';
import { attributeOf, numberOf, type Token } from './token.js';

/** PKCS#11 v3.0; pkcs11js knows v2.40. */
const CKK_EC_EDWARDS = 0x40;

/**
 * The public key that an object tells: any public key object, or an RSA private key, whose modulus and exponent are no secret.
 * Throws SignetError invalid_argument for a key that Signet does not sign with or that the object does not tell.
 * `isDamaged`: the point of an EC key is not as it should be; what comes is a guess, and must be proven.
 */
export function publicKeyOf(token: Token, object: pkcs11js.Handle, isDamaged = false): PublicKey {
  const type = numberOf(attributeOf(token, object, pkcs11js.CKA_KEY_TYPE));
  switch (type) {
    case pkcs11js.CKK_RSA:
      return rsaKey(required(token, object, 'CKA_MODULUS'), required(token, object, 'CKA_PUBLIC_EXPONENT'));
    case pkcs11js.CKK_EC:
      return ecKey(required(token, object, 'CKA_EC_PARAMS'), required(token, object, 'CKA_EC_POINT'), isDamaged);
    case CKK_EC_EDWARDS:
      return edwardsKey(required(token, object, 'CKA_EC_PARAMS'), required(token, object, 'CKA_EC_POINT'));
    default:
      throw unusable(`a key of CKK type 0x${type?.toString(16)}`);
  }
}

function required(token: Token, object: pkcs11js.Handle, name: keyof typeof ATTRIBUTES): Buffer {
  const value = attributeOf(token, object, ATTRIBUTES[name]);
  if (value && value.length > 0) return value;
  throw unusable(`an object without ${name}`);
}

const ATTRIBUTES = {
  CKA_MODULUS: pkcs11js.CKA_MODULUS,
  CKA_PUBLIC_EXPONENT: pkcs11js.CKA_PUBLIC_EXPONENT,
  CKA_EC_PARAMS: pkcs11js.CKA_EC_PARAMS,
  CKA_EC_POINT: pkcs11js.CKA_EC_POINT,
} as const;

function rsaKey(modulus: Buffer, exponent: Buffer): PublicKey {
  const jwk = { kty: 'RSA', n: modulus.toString('base64url'), e: exponent.toString('base64url') };
  return publicKeyFromKeyObject(createPublicKey({ key: jwk, format: 'jwk' }));
}

/** CKA_EC_PARAMS (an OBJECT IDENTIFIER, DER, in hexadecimal) to the bytes of a coordinate. */
const COORDINATE_BYTES: Readonly<Record<string, number>> = {
  '06082a8648ce3d030107': 32,
  '06052b81040022': 48,
  '06052b81040023': 66,
};

export function ecKey(parameters: Buffer, ecPoint: Buffer, isDamaged = false): PublicKey {
  const coordinate = COORDINATE_BYTES[parameters.toString('hex')];
  if (!coordinate) throw unusable(`an EC key with the parameters ${parameters.toString('hex').slice(0, 64)}`);
  if (!isDamaged)
    return publicKeyFromSpki(ecSpki(parameters, barePoint(ecPoint, [1 + 2 * coordinate, 1 + coordinate])));
  const [key] = repaired(ecPoint, coordinate).flatMap((point) => onCurve(parameters, point));
  if (key) return key;
  throw unusable(`a CKA_EC_POINT of ${ecPoint.length} bytes`);
}

function onCurve(parameters: Buffer, point: Buffer): PublicKey[] {
  try {
    return [publicKeyFromSpki(ecSpki(parameters, point))];
  } catch {
    return [];
  }
}

/** So many leading zeros may be missing. */
const MISSING_BYTES_MAX = 4;

/**
 * What tpm2-pkcs11 1.9 may have meant: it leaves out leading zeros of coordinates, and writes the length of P-521's OCTET STRING in one byte
 * where DER wants two. Where zeros are missing, one of these points lies on the curve, as a rule.
 */
function repaired(ecPoint: Buffer, coordinate: number): Buffer[] {
  const isShortForm = ecPoint[0] === OCTET_STRING && ecPoint[1] === ecPoint.length - 2;
  const point = octetStringContent(ecPoint) ?? (isShortForm ? ecPoint.subarray(2) : undefined);
  if (point?.[0] !== UNCOMPRESSED) return [];
  const missing = 1 + 2 * coordinate - point.length;
  if (missing < 0 || missing > MISSING_BYTES_MAX) return [];
  return Array.from({ length: missing + 1 }, (_, ofX) => {
    const yAt = 1 + coordinate - ofX;
    const [x, y] = [point.subarray(1, yAt), point.subarray(yAt)];
    return Buffer.concat([point.subarray(0, 1), Buffer.alloc(ofX), x, Buffer.alloc(missing - ofX), y]);
  });
}

const OCTET_STRING = 0x04;
/** SEC 1 section 2.3.3. */
const UNCOMPRESSED = 0x04;

/** id-Ed25519 (RFC 8410), and the name that PKCS#11 v3.0 allows instead: PrintableString "edwards25519". */
const ED25519_PARAMETERS = ['06032b6570', '130c656477617264733235353139'];

export function edwardsKey(parameters: Buffer, ecPoint: Buffer): PublicKey {
  if (!ED25519_PARAMETERS.includes(parameters.toString('hex'))) {
    throw unusable(`an Edwards key with the parameters ${parameters.toString('hex').slice(0, 64)}`);
  }
  return publicKeyFromSpki(ed25519Spki(barePoint(ecPoint, [32])));
}

/**
 * PKCS#11 wants the point inside an OCTET STRING, and some modules give it bare. Both may begin with 0x04, so the length tells
 * them apart.
 */
function barePoint(ecPoint: Buffer, lengths: readonly number[]): Buffer {
  if (lengths.includes(ecPoint.length)) return ecPoint;
  const content = octetStringContent(ecPoint);
  if (content && lengths.includes(content.length)) return content;
  throw unusable(`a CKA_EC_POINT of ${ecPoint.length} bytes`);
}

function unusable(what: string): SignetError {
  return new SignetError('invalid_argument', `expected a key that Signet signs with; ${what} came`);
}
