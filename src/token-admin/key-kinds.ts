import pkcs11 from 'pkcs11js';

/** What `signet keys generate --type` takes. */
export const KEY_KINDS = ['p256', 'p384', 'p521', 'rsa2048', 'rsa3072', 'rsa4096', 'ed25519'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

/** How a token is asked for a kind of key: CKM_…_KEY_PAIR_GEN and what the public template says beside the usual. */
export interface KeyRecipe {
  readonly mechanism: number;
  readonly publicTemplate: Readonly<Record<string, unknown>>;
}

/** PKCS#11 v3.0; pkcs11js 2.1 lacks the two. */
const CKM_EC_EDWARDS_KEY_PAIR_GEN = 0x1055;
export const CKK_EC_EDWARDS = 0x40;

/** DER OBJECT IDENTIFIERs: RFC 5480 section 2.1.1.1 and, for Ed25519, RFC 8410 section 3. */
export const CURVE_OID = {
  p256: Buffer.from('06082a8648ce3d030107', 'hex'),
  p384: Buffer.from('06052b81040022', 'hex'),
  p521: Buffer.from('06052b81040023', 'hex'),
  ed25519: Buffer.from('06032b6570', 'hex'),
} as const;

/** 65537, big-endian. */
const RSA_PUBLIC_EXPONENT = Buffer.from([1, 0, 1]);

export const KEY_RECIPES: Readonly<Record<KeyKind, KeyRecipe>> = {
  p256: ec(CURVE_OID.p256),
  p384: ec(CURVE_OID.p384),
  p521: ec(CURVE_OID.p521),
  rsa2048: rsa(2048),
  rsa3072: rsa(3072),
  rsa4096: rsa(4096),
  ed25519: { mechanism: CKM_EC_EDWARDS_KEY_PAIR_GEN, publicTemplate: { paramsEC: CURVE_OID.ed25519 } },
};

function ec(curve: Buffer): KeyRecipe {
  return { mechanism: pkcs11.CKM_EC_KEY_PAIR_GEN, publicTemplate: { paramsEC: curve } };
}

function rsa(modulusBits: number): KeyRecipe {
  const publicTemplate = { modulusBits, publicExponent: RSA_PUBLIC_EXPONENT };
  return { mechanism: pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, publicTemplate };
}
