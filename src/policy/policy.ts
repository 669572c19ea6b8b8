import type { Algorithm } from '../algorithms.js';
import type { Caller } from '../caller.js';
import type { SignetError } from '../errors.js';
import type { ServedKey } from '../keys/served-key.js';
import type { Use } from '../sign-job.js';

/** Who may sign what. src/policy/grants.ts makes one from the configuration. Default is deny. */
export interface Policy {
  /** The principal's name, or undefined if none matches. The first match in the configuration's order counts. */
  identify(caller: Caller): string | undefined;
  /**
   * What becomes of a request; undefined if no grant gives it. The caller of this function answers undefined exactly as it answers
   * an unknown key. A grant's quota is drawn from, and a message for TLS is remembered.
   */
  decide(principal: string, key: ServedKey, question: Question): Decision | undefined;
  /** Whether any grant gives the principal the key for any use. */
  mayUse(principal: string, key: ServedKey): boolean;
}

/** What a caller wants signed. */
export interface Question {
  readonly algorithm: Algorithm;
  /** The whole message or a digest. */
  readonly input: Uint8Array;
  readonly inputIsDigest: boolean;
  /** SHA-256 of `input`, hexadecimal; asked for only where it is needed. */
  readonly inputSha256: string;
  /** 32 hexadecimal digits, the same in a retry; empty: the caller gave none, so this is no retry. */
  readonly attemptId: string;
}

/**
 * A grant gives it: `use` is what the message shows, `grant` the grant's place in the configuration. Or a grant would give it, but not now:
 * its quota is used up, or it refuses duplicates. Whoever has the grant may know that.
 */
export type Decision =
  | { readonly use: Use; readonly grant: number; readonly refusal?: undefined }
  | { readonly refusal: SignetError };
