import { ErrorCode } from './gen/signet/v1/sign.js';

/** The words for what went wrong; the wire's ErrorCode, gRPC's status and an exit code are looked up from them. */
export type ErrorWord =
  | 'invalid_argument'
  | 'permission_denied'
  | 'resource_exhausted'
  | 'deadline_exceeded'
  | 'unavailable'
  | 'token_failed'
  | 'cancelled'
  | 'internal';

/**
 * The one error that may reach a caller. Its message is one sentence for people: what was expected, what came, what to do.
 * It holds no secret. Everything else that is thrown becomes a bland `internal` at the edge, with its stack in the log.
 *
 * It has no stack: nobody reads it, and to take one cost a sixth of the front's time when most requests are refused.
 */
export class SignetError extends Error {
  readonly code: ErrorWord;

  constructor(code: ErrorWord, message: string, options?: ErrorOptions) {
    const frames = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message, options);
    Error.stackTraceLimit = frames;
    this.name = 'SignetError';
    this.code = code;
  }

  /** Any thrown value as a SignetError; an unknown one says nothing of itself to the caller and keeps its cause for the log. */
  static from(thrown: unknown): SignetError {
    if (thrown instanceof SignetError) return thrown;
    return new SignetError('internal', 'internal error; the log of the service has the details', { cause: thrown });
  }
}

/** ErrorWord to the wire's ErrorCode (sign.proto). */
export const WIRE_CODE: Readonly<Record<ErrorWord, ErrorCode>> = {
  invalid_argument: ErrorCode.ERROR_CODE_INVALID_ARGUMENT,
  permission_denied: ErrorCode.ERROR_CODE_PERMISSION_DENIED,
  resource_exhausted: ErrorCode.ERROR_CODE_RESOURCE_EXHAUSTED,
  deadline_exceeded: ErrorCode.ERROR_CODE_DEADLINE_EXCEEDED,
  unavailable: ErrorCode.ERROR_CODE_UNAVAILABLE,
  token_failed: ErrorCode.ERROR_CODE_TOKEN_FAILED,
  cancelled: ErrorCode.ERROR_CODE_CANCELLED,
  internal: ErrorCode.ERROR_CODE_INTERNAL,
};
