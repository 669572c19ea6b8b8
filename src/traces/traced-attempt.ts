import { ATTR_ERROR_TYPE } from '@opentelemetry/semantic-conventions';
import type { AttemptRecord } from '../shared-state.js';
import type { TraceParent } from '../signing.js';

/** A request that was answered, as its span tells it: what the audit has of it, without the hash of what was signed. */
export interface TracedAttempt extends Omit<AttemptRecord, 'caller' | 'sha256'> {
  /** When it arrived, by performance.now(), in milliseconds. */
  readonly arrivedMs: number;
  /** The span of the caller that it belongs to, if the caller named one. */
  readonly parent: TraceParent | undefined;
  /** Whether it came as far as the queue. */
  readonly submitted: boolean;
  /** What the caller was told; empty if it has its signature. */
  readonly error: string;
}

/** The names of the spans; docs/traces.md explains them. */
export const SPAN = { sign: 'signet.sign', queue: 'signet.queue', token: 'signet.token' } as const;

/** Nothing that was signed and no signature. What is not known is left out, such as the use of what was refused. */
export function attributesOf(attempt: TracedAttempt): Record<string, string | undefined> {
  return {
    'signet.outcome': attempt.outcome,
    'signet.principal': attempt.principal || undefined,
    'signet.key.label': attempt.label || undefined,
    'signet.key.spki_sha256': attempt.key || undefined,
    'signet.use': attempt.use || undefined,
    'signet.scheme': attempt.scheme || undefined,
    'signet.token': attempt.token || undefined,
    'signet.attempt_id': attempt.attempt || undefined,
    [ATTR_ERROR_TYPE]: attempt.outcome === 'ok' ? undefined : attempt.outcome,
  };
}
