import type { SignedMessage } from '../shared-state.js';

/**
 * The messages that were signed lately, in a table of fixed size without objects: a map of as many strings costs several
 * microseconds a signature, mostly to the garbage collector, and this one a fraction of one.
 *
 * A message has its place in one set of 8, found by its SHA-256, and is known by 96 bits of it, mixed with key and scheme. In a full
 * set the oldest gives way, so messages may be forgotten a little before the table as a whole is full.
 */
export class SeenMessages {
  readonly #sets: number;
  /** Three words of each message, the two first words of its attempt id, and when it came, in milliseconds. */
  readonly #words: Uint32Array;
  readonly #attempts: Uint32Array;
  readonly #sinceMs: Float64Array;

  constructor(entriesMax: number) {
    this.#sets = Math.max(1, Math.floor(entriesMax / WAYS));
    const entries = this.#sets * WAYS;
    this.#words = new Uint32Array(entries * WORDS);
    this.#attempts = new Uint32Array(entries * ATTEMPT_WORDS);
    this.#sinceMs = new Float64Array(entries).fill(Number.NEGATIVE_INFINITY);
  }

  /**
   * Whether the message came since `oldestMs` under another attempt; if it did not come at all, it is remembered. Hashes and the attempt
   * id are hexadecimal; an empty attempt id is that of no attempt before.
   */
  cameBefore(message: SignedMessage, nowMs: number, oldestMs: number): boolean {
    const { messageSha256, spkiSha256, scheme, attemptId } = message;
    const first = word(messageSha256, 1);
    const second = word(messageSha256, 2);
    const third = (word(messageSha256, 3) ^ word(spkiSha256, 0) ^ Math.imul(scheme, SPREAD)) >>> 0;
    const attempt1 = attemptId === '' ? 0 : word(attemptId, 0);
    const attempt2 = attemptId === '' ? 0 : word(attemptId, 1);
    const from = (word(messageSha256, 0) % this.#sets) * WAYS;
    let oldest = from;
    for (let at = from; at < from + WAYS; at++) {
      const isSame =
        this.#words[at * WORDS] === first &&
        this.#words[at * WORDS + 1] === second &&
        this.#words[at * WORDS + 2] === third;
      if (isSame && (this.#sinceMs[at] as number) > oldestMs) {
        const isRetry =
          this.#attempts[at * ATTEMPT_WORDS] === attempt1 && this.#attempts[at * ATTEMPT_WORDS + 1] === attempt2;
        return attemptId === '' || !isRetry;
      }
      if ((this.#sinceMs[at] as number) < (this.#sinceMs[oldest] as number)) oldest = at;
    }
    this.#words[oldest * WORDS] = first;
    this.#words[oldest * WORDS + 1] = second;
    this.#words[oldest * WORDS + 2] = third;
    this.#attempts[oldest * ATTEMPT_WORDS] = attempt1;
    this.#attempts[oldest * ATTEMPT_WORDS + 1] = attempt2;
    this.#sinceMs[oldest] = nowMs;
    return false;
  }
}

const WAYS = 8;
const WORDS = 3;
const ATTEMPT_WORDS = 2;
/** Odd and without a pattern, so that schemes that lie side by side differ in many bits. */
const SPREAD = 0x9e3779b1;

/** The nth 32 bits of a number in lowercase hexadecimal. */
function word(hex: string, n: number): number {
  let value = 0;
  for (let i = n * 8; i < n * 8 + 8; i++) {
    const code = hex.charCodeAt(i);
    value = (value << 4) | ((code & 15) + (code >> 6) * 9);
  }
  return value >>> 0;
}
