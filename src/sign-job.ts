import type { Algorithm } from './algorithms.js';
import type { SignetError } from './errors.js';
import type { PublicKey } from './public-key.js';
import type { Place } from './row.js';

/** What a message is, recognised from itself (docs/design.md, TLS-bound signing). `digest` is anything. */
export const USES = ['tls13-server', 'tls13-client', 'tls12-server', 'tls12-client', 'csr', 'digest'] as const;
export type Use = (typeof USES)[number];

/** How a request ended. `queueUs` and `tokenUs` are microseconds; a request that never reached a signer has no token time. */
export type Outcome =
  | { readonly ok: true; readonly signature: Uint8Array; readonly queueUs: number; readonly tokenUs: number }
  | { readonly ok: false; readonly error: SignetError; readonly queueUs: number; readonly tokenUs: number };

/** One granted signature on its way from the policy through the scheduler and the pool to a signer and back. */
export interface SignJob {
  /** The name of the principal: whom the scheduler is fair to. */
  readonly principal: string;
  readonly key: PublicKey;
  /** The tokens that hold the key, joined by ",": jobs of one home can be served by the same signers. */
  readonly home: string;
  /** Jobs of one class cost about the same token time: type and size of the key, and its home. */
  readonly costClass: string;
  readonly algorithm: Algorithm;
  /** The whole message, or the digest. */
  readonly input: Uint8Array;
  readonly inputIsDigest: boolean;
  /** When the request arrived, by performance.now(), in milliseconds. */
  readonly arrivedMs: number;
  /** When the caller stops waiting, by performance.now(), in milliseconds. */
  readonly deadlineMs: number;
  /** Its place among the jobs whose deadlines are watched, and in the queue, while it is there; the scheduler keeps them. */
  watched: Place | undefined;
  queued: Place | undefined;
  /** What it still has to pay for in the queue: its expected token time, in microseconds; the scheduler sets it. */
  unpaidUs: number;
  /** How many signers it was handed to; the pool counts. Another signer gets it if one died. */
  attempts: number;
  /** The name of the token whose signer it was handed to last; empty before; the pool sets it. */
  token: string;
  /** When it was handed to its signer, by performance.now(), in milliseconds; 0 before. */
  handedMs: number;
  /** How it ended; a job leaves by this door only, once, and a second call does nothing. */
  finish(outcome: Outcome): void;
  /** Whether it has ended (also by cancellation or by its deadline): work not begun is then dropped. */
  readonly finished: boolean;
}
