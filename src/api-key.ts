import { createHash, randomBytes } from 'node:crypto';

/** A key by which a service that speaks gRPC says who it is: 32 random bytes, written as `signet_` and 43 characters of base64url. */
export function newApiKey(): string {
  return PREFIX + randomBytes(KEY_BYTES).toString('base64url');
}

/** SHA-256 of the key's bytes, 64 lowercase hexadecimal digits; undefined for what is not written as a key is. */
export function apiKeySha256(text: string): string | undefined {
  if (!FORM.test(text)) return undefined;
  return createHash('sha256')
    .update(Buffer.from(text.slice(PREFIX.length), 'base64url'))
    .digest('hex');
}

/** So that a key that has strayed into a file or a log is found by what it looks like. */
const PREFIX = 'signet_';
const KEY_BYTES = 32;
const FORM = /^signet_[A-Za-z0-9_-]{43}$/;
