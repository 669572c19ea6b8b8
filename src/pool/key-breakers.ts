import { FAILURES_IN_A_ROW } from './breaker.js';

/** What is known of a key since its last signature. */
interface Failing {
  inARow: number;
  /** Whether the token has signed with another key since the last failure, so that the token is not to blame for the next. */
  othersSigned: boolean;
  isOpen: boolean;
}

/**
 * Tells a key that fails from a token that fails: a token that signs with others but never with this one shall not be taken out of use
 * for it. A key whose breaker is open is not asked for; after a while it is on trial, and its next failure opens it at once.
 */
export class KeyBreakers {
  readonly #failing = new Map<string, Failing>();

  succeeded(spkiSha256: string): void {
    if (this.#failing.size === 0) return;
    this.#failing.delete(spkiSha256);
    this.tokenSigned();
  }

  /** The token has made a signature with whatever key. */
  tokenSigned(): void {
    for (const failing of this.#failing.values()) failing.othersSigned = true;
  }

  /** Whose fault a failure is, as far as can be told; `opens`: the key is not to be asked for from now on. */
  failed(spkiSha256: string): 'token' | 'key' | 'opens' {
    const failing = this.#failing.get(spkiSha256) ?? { inARow: 0, othersSigned: false, isOpen: false };
    this.#failing.set(spkiSha256, failing);
    failing.inARow++;
    // The first failure says nothing of whose it is.
    const isOfKey = failing.othersSigned && failing.inARow > 1;
    failing.othersSigned = false;
    if (!isOfKey) return 'token';
    if (failing.isOpen || failing.inARow < FAILURES_IN_A_ROW) return 'key';
    failing.isOpen = true;
    return 'opens';
  }

  isOpen(spkiSha256: string): boolean {
    return this.#failing.get(spkiSha256)?.isOpen === true;
  }

  /** The next job may show whether the key is well. */
  tryAgain(spkiSha256: string): void {
    const failing = this.#failing.get(spkiSha256);
    if (failing) failing.isOpen = false;
  }
}
