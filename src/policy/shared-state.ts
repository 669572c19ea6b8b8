import type { SignedMessage } from './seen-messages.js';

/**
 * What several fronts of one service would have to share, behind one interface: how much of its quota a principal has used, and which
 * messages were signed. src/policy/memory-state.ts keeps it in the memory of one front.
 *
 * It answers at once, since it is asked for every signature: fronts that share would lease parts of a quota and tell each other of
 * messages afterwards, and not wait for one another.
 */
export interface SharedState {
  /** The quota of a name. It is one and the same for a name that comes again, with the rate and burst of the last time. */
  quota(name: string, ratePerS: number, burst: number): Quota;
  /** Forgets the quotas of all other names. */
  keepQuotas(names: ReadonlySet<string>): void;
  /**
   * Whether the same message with the same key and scheme came under another attempt within the window. The first attempt is
   * remembered; an empty attempt id is never that of a retry.
   */
  isDuplicate(message: SignedMessage): boolean;
}

/** A token bucket: so many signatures per second, so many of them at once after a rest. */
export interface Quota {
  /** Takes a signature out: 0. Or takes nothing, and tells in how many milliseconds there will be one. */
  take(): number;
}
