import { FrameReader } from '../pool/messages.js';
import { NOTHING_THERE, receive, receiveNow } from './connection.js';

/** A few jobs of at most 16 KiB, or many of the few hundred bytes that they have as a rule. */
const RECEIVE_BYTES = 64 * 1024;

/** The frames that came from the front and are not worked on yet. */
export class Inbox {
  readonly #reader = new FrameReader();
  readonly #bytes = Buffer.alloc(RECEIVE_BYTES);
  #frames: Buffer[] = [];
  #next = 0;
  #used = 0;
  #gone = false;

  /** Frames that wait. */
  get waiting(): number {
    return this.#frames.length - this.#next;
  }

  /** The next frame, after a wait if need be; it is valid until the next call. Undefined when the front is gone. */
  take(busyPollUs: number): Buffer | undefined {
    while (this.waiting === 0 && !this.#gone) {
      this.#empty();
      this.#took(receive(this.#bytes, busyPollUs));
    }
    return this.#frames[this.#next++];
  }

  /** Takes in what has come meanwhile, without a wait. */
  look(): void {
    const room = this.#bytes.subarray(this.#used);
    if (room.length > 0) this.#took(receiveNow(room));
  }

  #empty(): void {
    this.#frames = [];
    this.#next = 0;
    this.#used = 0;
  }

  #took(got: number): void {
    if (got === NOTHING_THERE) return;
    if (got === 0) this.#gone = true;
    this.#reader.push(this.#bytes.subarray(this.#used, this.#used + got), (frame) => this.#frames.push(frame));
    this.#used += got;
  }
}
