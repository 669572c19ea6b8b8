import type { Caller } from './caller.js';
import type { Key } from './gen/signet/v1/keys.js';
import type { SignRequest } from './gen/signet/v1/sign.js';
import type { Outcome } from './sign-job.js';

/** A connection's caller after the policy has named it. Made once per connection by `Signing.identify`. */
export interface Client {
  readonly caller: Caller;
  /** The principal's name in the configuration; undefined for a caller that no principal matches: it is refused everything. */
  readonly principal: string | undefined;
  /** The caller in one short line, for the audit file. */
  readonly description: string;
}

/** Withdraws a request; its answer comes all the same, as `cancelled` unless it has ended before. */
export type Cancel = () => void;

/** The caller's span that a request belongs to: the headers of W3C Trace Context as they came, unread. */
export interface TraceParent {
  readonly traceparent: string;
  readonly tracestate: string;
}

/** What the transports see of the service: everything behind them. */
export interface Signing {
  identify(caller: Caller): Client;
  /** Begins one signature. Calls `answer` exactly once, never before it returned. Throws nothing. */
  sign(client: Client, request: SignRequest, answer: (outcome: Outcome) => void, parent?: TraceParent): Cancel;
  /** The keys that the client may use in any way, by ascending SPKI SHA-256. */
  keysOf(client: Client): readonly Key[];
}
