import { ANSWER_FRAME_BYTES_MAX, type JobStatus, writeAnswer } from '../pool/messages.js';

/** How long an answer may wait for the next ones, in microseconds: half of the work that may lie at a session (src/pool/jobs-at-signer.ts). */
const HOLD_US_MAX = 500;
const ANSWERS_MAX = 32;

/** Answers to jobs that came together leave together if the token is fast enough: each write may wake the front. */
export class Answers {
  readonly #send: (bytes: Buffer, length: number) => void;
  readonly #bytes = Buffer.alloc(ANSWERS_MAX * ANSWER_FRAME_BYTES_MAX);
  #length = 0;
  #held = 0;
  /** When the first of them was there, by performance.now(), in milliseconds. */
  #sinceMs = 0;

  constructor(send: (bytes: Buffer, length: number) => void) {
    this.#send = send;
  }

  /** Answers that have not left. */
  get held(): number {
    return this.#held;
  }

  /** The next job begins, and is expected to take so many microseconds. */
  before(expectedUs: number): void {
    if (this.#length === 0) return;
    const heldUs = (performance.now() - this.#sinceMs) * 1000;
    if (heldUs + expectedUs > HOLD_US_MAX) this.flush();
  }

  add(id: number, status: JobStatus, tokenUs: number, content: Uint8Array): void {
    if (this.#bytes.length - this.#length < ANSWER_FRAME_BYTES_MAX) this.flush();
    if (this.#length === 0) this.#sinceMs = performance.now();
    this.#length += writeAnswer(this.#bytes.subarray(this.#length), id, status, tokenUs, content);
    this.#held++;
  }

  /** Nothing follows soon. Throws when the front is gone. */
  flush(): void {
    if (this.#length === 0) return;
    this.#send(this.#bytes, this.#length);
    this.#length = 0;
    this.#held = 0;
  }
}
