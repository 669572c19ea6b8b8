import type { PublicKey } from '../public-key.js';

/** A key as the service knows it: found on at least one token. */
export interface ServedKey {
  readonly key: PublicKey;
  /** CKA_LABEL of the private key; a name for people. */
  readonly label: string;
  /** CKA_ID of the private key, lowercase hexadecimal. */
  readonly id: string;
  /** Leaf first, DER; empty where the token has none. */
  readonly certificateChain: readonly Uint8Array[];
  /** Names of the tokens that hold it, in the order of the configuration. */
  readonly tokens: readonly string[];
}
