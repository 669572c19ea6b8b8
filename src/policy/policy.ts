import type { Algorithm } from '../algorithms.js';
import type { Caller } from '../caller.js';
import type { ServedKey } from '../keys/served-key.js';
import type { Use } from '../sign-job.js';

/** Who may sign what. src/policy/grants.ts makes one from the configuration. Default is deny. */
export interface Policy {
  /** The principal's name, or undefined if none matches. The first match in the configuration's order counts. */
  identify(caller: Caller): string | undefined;
  /**
   * The use that the message shows and that a grant allows; undefined if none does. `input` is the whole message or a digest.
   * The caller of this function answers a refusal exactly as it answers an unknown key.
   */
  decide(
    principal: string,
    key: ServedKey,
    algorithm: Algorithm,
    input: Uint8Array,
    inputIsDigest: boolean,
  ): Use | undefined;
  /** Whether any grant gives the principal the key for any use. */
  mayUse(principal: string, key: ServedKey): boolean;
}
