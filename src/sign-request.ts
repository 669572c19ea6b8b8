import { type Algorithm, algorithmOf } from './algorithms.js';
import { SignetError } from './errors.js';
import type { SignRequest } from './gen/signet/v1/sign.js';

/** A SignRequest whose form is right; whether the key exists and may be used is for those behind to say. */
export interface ParsedRequest {
  /** SHA-256 of the key's SubjectPublicKeyInfo, 64 lowercase hexadecimal digits. */
  readonly spkiSha256: string;
  readonly algorithm: Algorithm;
  /** The whole message, or its digest. */
  readonly input: Uint8Array;
  readonly inputIsDigest: boolean;
  /** As it came: 0 means the service's limit. Microseconds. */
  readonly timeoutUs: number;
  /** 32 hexadecimal digits, or empty. */
  readonly attemptId: string;
}

/** A whole message is at most this long (sign.proto); a longer one is hashed by the caller and sent as a digest. */
export const MESSAGE_BYTES_MAX = 16_384;

const SPKI_SHA256_BYTES = 32;
const ATTEMPT_ID_BYTES = 16;

/** The form of a request, checked in one place for all transports. Throws SignetError invalid_argument. */
export function parseSignRequest(request: SignRequest): ParsedRequest {
  checkLength(
    'spki_sha256',
    request.spkiSha256,
    SPKI_SHA256_BYTES,
    "send the SHA-256 of the key's SubjectPublicKeyInfo",
  );
  if (request.attemptId.length !== 0) {
    checkLength('attempt_id', request.attemptId, ATTEMPT_ID_BYTES, 'send random bytes, or none');
  }
  const algorithm = algorithmOf(request.scheme);
  if (algorithm === undefined) throw unknownScheme(request.scheme);
  const { input } = request;
  if (input === undefined) throw refusal('expected a message or a digest in input; none came; send one of the two');
  if (input.$case === 'message') checkMessage(input.value);
  else checkDigest(algorithm, input.value);
  return {
    spkiSha256: request.spkiSha256.toString('hex'),
    algorithm,
    input: input.value,
    inputIsDigest: input.$case === 'digest',
    timeoutUs: request.timeoutUs,
    attemptId: request.attemptId.toString('hex'),
  };
}

function checkLength(field: string, value: Uint8Array, expected: number, todo: string): void {
  if (value.length === expected) return;
  throw refusal(`expected ${field} of ${expected} bytes; ${value.length} came; ${todo}`);
}

function checkMessage(message: Uint8Array): void {
  if (message.length >= 1 && message.length <= MESSAGE_BYTES_MAX) return;
  throw refusal(
    `expected a message of 1 to ${MESSAGE_BYTES_MAX} bytes; ${message.length} came; hash a longer one and send the digest`,
  );
}

function checkDigest(algorithm: Algorithm, digest: Uint8Array): void {
  if (algorithm.hash === undefined) {
    throw refusal(`expected a message for ${algorithm.name}, which signs no digest; a digest came; send the message`);
  }
  if (digest.length === algorithm.digestBytes) return;
  throw refusal(
    `expected a digest of ${algorithm.digestBytes} bytes for ${algorithm.name}; ${digest.length} came; hash with ${algorithm.hash}`,
  );
}

function unknownScheme(scheme: number): SignetError {
  const came = scheme >= 0 && scheme <= 0xffff ? `0x${scheme.toString(16).padStart(4, '0')}` : `${scheme}`;
  return refusal(`expected a SignatureScheme of sign.proto; ${came} came; use one that the key lists`);
}

function refusal(message: string): SignetError {
  return new SignetError('invalid_argument', message);
}
