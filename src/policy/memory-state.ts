import type { Limits } from '../config/schema.js';
import type { Duplicates, Quota, Quotas, SignedMessage } from '../shared-state.js';
import { SeenMessages } from './seen-messages.js';
import { TokenBucket } from './token-bucket.js';

/** Quotas and duplicates of a front that is alone. */
export class MemoryState implements Quotas, Duplicates {
  readonly #limits: Pick<Limits, 'duplicate_window_ms'>;
  readonly #nowMs: () => number;
  readonly #quotas = new Map<string, TokenBucket>();
  readonly #seen: SeenMessages;

  /** The window may change while it runs. `nowMs` is a clock that never goes back, in milliseconds. */
  constructor(limits: Pick<Limits, 'duplicate_window_ms' | 'duplicate_entries_max'>, nowMs = () => performance.now()) {
    this.#limits = limits;
    this.#nowMs = nowMs;
    this.#seen = new SeenMessages(limits.duplicate_entries_max);
  }

  quota(name: string, ratePerS: number, burst: number): Quota {
    const known = this.#quotas.get(name);
    known?.change(ratePerS, burst);
    const bucket = known ?? new TokenBucket(ratePerS, burst, this.#nowMs);
    this.#quotas.set(name, bucket);
    return bucket;
  }

  keepQuotas(names: ReadonlySet<string>): void {
    for (const name of this.#quotas.keys()) if (!names.has(name)) this.#quotas.delete(name);
  }

  isDuplicate(message: SignedMessage): boolean {
    const nowMs = this.#nowMs();
    return this.#seen.cameBefore(message, nowMs, nowMs - this.#limits.duplicate_window_ms);
  }
}
