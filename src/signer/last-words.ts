import { encodeFailed } from '../pool/messages.js';
import { describe } from './ckr.js';
import { SignerFailure } from './token.js';

/** The frame with which a signer that gives up tells why. */
export function lastWords(error: unknown): Buffer {
  const reason = error instanceof SignerFailure ? error.reason : 'token';
  const message = error instanceof SignerFailure ? error.message : describe(error);
  return encodeFailed({ reason, message });
}
