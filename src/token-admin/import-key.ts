import type { JsonWebKey, KeyObject } from 'node:crypto';
import graphene from 'graphene-pk11';
import pkcs11 from 'pkcs11js';
import { SignetError } from '../errors.js';
import { type PublicKey, publicKeyFromKeyObject } from '../public-key.js';
import { CKK_EC_EDWARDS, CURVE_OID } from './key-kinds.js';
import { PRIVATE_KEY_TEMPLATE, PUBLIC_KEY_TEMPLATE } from './key-templates.js';
import { admitKey, requireFreeLabel, requireNewKey } from './new-key.js';
import { destroyQuietly, untilWhole } from './object-damaged.js';
import type { Session } from './open-token.js';
import type { TokenKey } from './token-keys.js';

/** Puts a private key of a file into the token. Throws KeyExists, SignetError invalid_argument for a kind that Signet has not. */
export function importKey(session: Session, secret: KeyObject, label: string): TokenKey {
  const key = publicKeyFromKeyObject(secret);
  requireFreeLabel(session, label);
  requireNewKey(session, key);
  const { shared, secretHalf, publicHalf } = attributesOf(secret, key);
  const privateTemplate = { ...PRIVATE_KEY_TEMPLATE, ...shared, ...secretHalf, label };
  const publicTemplate = { ...PUBLIC_KEY_TEMPLATE, ...shared, ...publicHalf, label };
  return untilWhole(() => {
    const privateKey = session.create({ ...privateTemplate, class: graphene.ObjectClass.PRIVATE_KEY });
    try {
      const publicKey = session.create({ ...publicTemplate, class: graphene.ObjectClass.PUBLIC_KEY });
      return admitKey(session, privateKey, publicKey, label);
    } catch (thrown) {
      destroyQuietly(session, privateKey);
      throw thrown;
    }
  });
}

interface KeyAttributes {
  readonly shared: graphene.ITemplate;
  readonly secretHalf: graphene.ITemplate;
  readonly publicHalf: graphene.ITemplate;
}

function attributesOf(secret: KeyObject, key: PublicKey): KeyAttributes {
  if (secret.asymmetricKeyType === 'rsa-pss') {
    throw new SignetError(
      'invalid_argument',
      'expected an RSA key of type rsaEncryption; one of type RSASSA-PSS came. Convert it: openssl rsa -in FILE -out FILE2',
    );
  }
  const jwk = secret.export({ format: 'jwk' });
  return key.type === 'rsa' ? rsaAttributes(jwk) : ecAttributes(jwk, key);
}

function rsaAttributes(jwk: JsonWebKey): KeyAttributes {
  return {
    shared: { keyType: pkcs11.CKK_RSA, modulus: number(jwk.n), publicExponent: number(jwk.e) },
    secretHalf: {
      privateExponent: number(jwk.d),
      prime1: number(jwk.p),
      prime2: number(jwk.q),
      exp1: number(jwk.dp),
      exp2: number(jwk.dq),
      coefficient: number(jwk.qi),
    },
    publicHalf: {},
  };
}

/** EC and Ed25519 keys; the point of Ed25519 is its 32 bytes, that of a curve is uncompressed (SEC 1 section 2.3.3). */
function ecAttributes(jwk: JsonWebKey, key: PublicKey): KeyAttributes {
  const isEdwards = key.type === 'ed25519';
  const point = isEdwards ? number(jwk.x) : Buffer.concat([Buffer.from([0x04]), number(jwk.x), number(jwk.y)]);
  return {
    shared: { keyType: isEdwards ? CKK_EC_EDWARDS : pkcs11.CKK_EC, paramsEC: curveOf(key) },
    secretHalf: { value: number(jwk.d) },
    publicHalf: { pointEC: octetString(point) },
  };
}

function curveOf(key: PublicKey): Buffer {
  if (key.type === 'ed25519') return CURVE_OID.ed25519;
  if (key.bits === 256) return CURVE_OID.p256;
  return key.bits === 384 ? CURVE_OID.p384 : CURVE_OID.p521;
}

/** The DER header of an OCTET STRING of less than 256 bytes. */
function octetString(content: Buffer): Buffer {
  const length = content.length < 0x80 ? [content.length] : [0x81, content.length];
  return Buffer.concat([Buffer.from([0x04, ...length]), content]);
}

function number(base64url: string | undefined): Buffer {
  return Buffer.from(base64url ?? '', 'base64url');
}
