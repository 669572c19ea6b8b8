import type { Metadata } from '@grpc/grpc-js';
import type { TraceParent } from '../../signing.js';

/**
 * The caller's span, by the headers of W3C Trace Context (https://www.w3.org/TR/trace-context/). A traceparent that comes twice is
 * joined, and so is none; a tracestate may come in several.
 */
export function traceParentOf(metadata: Metadata): TraceParent | undefined {
  const traceparent = metadata.get('traceparent').join();
  return traceparent === '' ? undefined : { traceparent, tracestate: metadata.get('tracestate').join() };
}
