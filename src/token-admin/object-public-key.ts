import { createPublicKey, type JsonWebKey, type KeyObject, X509Certificate } from 'node:crypto';
import graphene from 'graphene-pk11';
import pkcs11 from 'pkcs11js';
import { SignetError } from '../errors.js';
import { type PublicKey, publicKeyFromKeyObject } from '../public-key.js';
import { CKK_EC_EDWARDS, CURVE_OID } from './key-kinds.js';

/**
 * The public key of a public key object, a certificate, or an RSA private key (whose modulus is public).
 * Throws SignetError invalid_argument: a kind of key that Signet does not sign with, or a private key that shows no public half.
 */
export function publicKeyOfObject(object: graphene.SessionObject): PublicKey {
  if (object.class === graphene.ObjectClass.CERTIFICATE) {
    return publicKeyFromKeyObject(new X509Certificate(object.getAttribute('value') as Buffer).publicKey);
  }
  switch (object.getAttribute('keyType') as number) {
    case pkcs11.CKK_RSA:
      return publicKeyFromKeyObject(fromJwk(rsaJwk(object)));
    case pkcs11.CKK_EC:
      requirePublic(object);
      return publicKeyFromKeyObject(fromJwk(ecJwk(object)));
    case CKK_EC_EDWARDS:
      requirePublic(object);
      return publicKeyFromKeyObject(
        fromJwk({ kty: 'OKP', crv: 'Ed25519', x: base64url(pointOf(object, ED25519_BYTES)) }),
      );
    default:
      throw new SignetError(
        'invalid_argument',
        'expected an RSA, EC or Ed25519 key; the token has one of another kind',
      );
  }
}

function requirePublic(object: graphene.SessionObject): void {
  if (object.class === graphene.ObjectClass.PUBLIC_KEY) return;
  throw new SignetError(
    'invalid_argument',
    'the token has neither a public key nor a certificate with the CKA_ID of this private key; import one of them',
  );
}

function rsaJwk(object: graphene.SessionObject): JsonWebKey {
  const { modulus, publicExponent } = object.getAttribute({ modulus: null, publicExponent: null });
  return { kty: 'RSA', n: base64url(modulus as Buffer), e: base64url(publicExponent as Buffer) };
}

// graphene knows CKA_EC_PARAMS by two names and answers with the older one.
function ecJwk(object: graphene.SessionObject): JsonWebKey {
  const parameters = object.getAttribute('paramsECDSA') as Buffer;
  const curve = EC_CURVES.find(({ oid }) => oid.equals(parameters));
  if (!curve) {
    const came = parameters.toString('hex') || 'none';
    throw new SignetError('invalid_argument', `expected a key on P-256, P-384 or P-521; its CKA_EC_PARAMS are ${came}`);
  }
  const point = pointOf(object, 1 + 2 * curve.bytes);
  const x = base64url(point.subarray(1, 1 + curve.bytes));
  const y = base64url(point.subarray(1 + curve.bytes));
  return { kty: 'EC', crv: curve.crv, x, y };
}

const EC_CURVES = [
  { oid: CURVE_OID.p256, crv: 'P-256', bytes: 32 },
  { oid: CURVE_OID.p384, crv: 'P-384', bytes: 48 },
  { oid: CURVE_OID.p521, crv: 'P-521', bytes: 66 },
] as const;

const ED25519_BYTES = 32;

/**
 * CKA_EC_POINT is an OCTET STRING around the point (PKCS#11 v2.40 section 2.3.3); some modules give the bare point. The length
 * tells which, since the first byte of both is 0x04.
 */
function pointOf(object: graphene.SessionObject, pointBytes: number): Buffer {
  const value = object.getAttribute('pointEC') as Buffer;
  const point = value.subarray(Math.max(0, value.length - pointBytes));
  const headerBytes = pointBytes < 0x80 ? 2 : 3;
  if (value.length === pointBytes || value.length === pointBytes + headerBytes) return point;
  throw new SignetError(
    'invalid_argument',
    `expected a public point of ${pointBytes} bytes; the token has ${value.length}`,
  );
}

function fromJwk(key: JsonWebKey): KeyObject {
  try {
    return createPublicKey({ key, format: 'jwk' });
  } catch (cause) {
    throw new SignetError('invalid_argument', 'the public key on the token is not a valid one', { cause });
  }
}

function base64url(bytes: Buffer): string {
  return bytes.toString('base64url');
}
