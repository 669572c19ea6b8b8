import { SignetError } from '../errors.js';

/** What a PKCS#11 return value means for somebody at a command line. Others are told by their name. */
const MEANING: Readonly<Record<string, string>> = {
  CKR_PIN_INCORRECT:
    'the PIN is wrong; check the PIN file before trying again, since a token locks after a few wrong PINs',
  CKR_PIN_LOCKED: 'the PIN is locked after wrong attempts; the security officer can set a new one',
  CKR_PIN_LEN_RANGE: 'the PIN is shorter or longer than the token takes',
  CKR_USER_PIN_NOT_INITIALIZED: 'the token has no user PIN yet',
  CKR_TOKEN_NOT_PRESENT: 'the token is not there',
  CKR_TOKEN_WRITE_PROTECTED: 'the token is write-protected',
  CKR_DEVICE_MEMORY: 'the token is full',
  CKR_MECHANISM_INVALID: 'the token does not know this kind of key or signature',
  CKR_KEY_SIZE_RANGE: 'the token does not take keys of this size',
};

/** A thrown value of PKCS#11 as SignetError token_failed; every other value as it is. `doing` says in which step it happened. */
export function tokenError(thrown: unknown, doing = 'the token'): unknown {
  const name = returnValueOf(thrown);
  if (name === undefined) return thrown;
  const meaning = MEANING[name];
  return new SignetError('token_failed', `${doing}: ${meaning ? `${meaning} (${name})` : `failed with ${name}`}`, {
    cause: thrown,
  });
}

/** The name of the PKCS#11 return value that was thrown. C_FindObjects of pkcs11js throws a plain Error, so the message is looked at, not the class. */
export function returnValueOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || thrown instanceof SignetError) return undefined;
  return /\bCKR_[A-Z0-9_]+/.exec(thrown.message)?.[0];
}
