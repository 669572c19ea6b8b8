import type { Socket } from 'node:net';
import { writeTogether } from '../write-at-once.js';

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
    const frames = this.#frames;
    if (frames.length === 0) return;
    this.#frames = [];
    if (!this.#socket.destroyed) writeTogether(this.#socket, frames);
  }
}
