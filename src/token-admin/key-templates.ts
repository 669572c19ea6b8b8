/** What every private key of Signet is: it stays in the token, needs the login, signs, and does nothing else. */
export const PRIVATE_KEY_TEMPLATE = {
  token: true,
  private: true,
  sensitive: true,
  extractable: false,
  sign: true,
  signRecover: false,
  decrypt: false,
  unwrap: false,
  derive: false,
} as const;

/** Its public key, readable without a login. */
export const PUBLIC_KEY_TEMPLATE = {
  token: true,
  private: false,
  verify: true,
  verifyRecover: false,
  encrypt: false,
  wrap: false,
  derive: false,
} as const;

/** CKA_ID of a key, its public key and its certificate: the first 20 bytes of the SPKI's SHA-256, the same on every token. */
export function idOf(spkiSha256: string): Buffer {
  return Buffer.from(spkiSha256, 'hex').subarray(0, ID_BYTES);
}

const ID_BYTES = 20;
