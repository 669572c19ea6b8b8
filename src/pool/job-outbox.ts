import type { Socket } from 'node:net';
import { writeAtOnce } from '../write-at-once.js';

/** Jobs on their way to a signer: those of one turn of the event loop leave in one write, since each write may wake the signer. */
export class JobOutbox {
  readonly #socket: Socket;
  #frames: Buffer[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  send(frame: Buffer): void {
    this.#frames.push(frame);
    this.flush();
  }

  /** It leaves at the end of this turn, or with what is sent before. */
  sendSoon(frame: Buffer): void {
    if (this.#frames.push(frame) === 1) setImmediate(() => this.flush());
  }

  flush(): void {
    const [first, ...others] = this.#frames;
    if (!first) return;
    this.#frames = [];
    if (!this.#socket.destroyed)
      writeAtOnce(this.#socket, others.length === 0 ? first : Buffer.concat([first, ...others]));
  }
}
