import { type StatusObject, status } from '@grpc/grpc-js';
import { type ErrorWord, SignetError } from '../../errors.js';

/** The one place that turns an error into a gRPC status; one to one, so that nothing is lost on the way. */
const STATUS: Readonly<Record<ErrorWord, status>> = {
  invalid_argument: status.INVALID_ARGUMENT,
  permission_denied: status.PERMISSION_DENIED,
  resource_exhausted: status.RESOURCE_EXHAUSTED,
  deadline_exceeded: status.DEADLINE_EXCEEDED,
  unavailable: status.UNAVAILABLE,
  // Not INTERNAL: the service is sound, its token is not, and another service may have a better one.
  token_failed: status.ABORTED,
  cancelled: status.CANCELLED,
  internal: status.INTERNAL,
};

/** What a handler gives to its callback for an error. */
export function statusOf(thrown: unknown): Pick<StatusObject, 'code' | 'details'> {
  const error = SignetError.from(thrown);
  return { code: STATUS[error.code], details: error.message };
}
