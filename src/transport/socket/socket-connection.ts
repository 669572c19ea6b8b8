import type { Socket } from 'node:net';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { describeCaller } from '../../caller.js';
import type { Limits } from '../../config/schema.js';
import { WIRE_CODE } from '../../errors.js';
import { type SignStreamRequest, SignStreamResponse } from '../../gen/signet/v1/sign.js';
import { takeOver } from '../../read-in-place.js';
import type { Client, Signing } from '../../signing.js';
import { writeAtOnce } from '../../write-at-once.js';
import type { ByteBudget } from '../byte-budget.js';
import { type Carrier, Conversation } from '../conversation.js';
import { FrameReader, type FrameSink } from './frame-reader.js';

/** What all connections of a socket transport share. */
export interface SocketShare {
  readonly signing: Signing;
  readonly limits: Limits;
  readonly budget: ByteBudget;
  /** Calls `flush` of the connection once, at the end of this turn of the event loop. */
  flushSoon(connection: SocketConnection): void;
  /** The connection is closed and has given everything back. */
  gone(connection: SocketConnection): void;
  /** The connection was closed because of the caller; for the log. */
  blame(connection: SocketConnection, reason: string): void;
}

/** A caller that has this many bytes of answers unread is read from no more until it has read them. */
export const BACKLOG_PAUSE_BYTES = 256 * 1024;
/** A caller that has this many bytes of answers unread is closed. 1,024 answers, the default of in flight, are about half. */
export const BACKLOG_CLOSE_BYTES = 1024 * 1024;

const LENGTH_BYTES = 4;

/** Reused by all connections: it keeps its memory, so that an answer is encoded without allocating. */
const writer = new BinaryWriter();

/** One caller on a Unix socket: bytes in, bytes out. What they mean is the conversation's. */
export class SocketConnection implements Carrier, FrameSink {
  readonly #socket: Socket;
  readonly #share: SocketShare;
  readonly #conversation: Conversation;
  readonly #reader: FrameReader;
  readonly #openedMs = performance.now();
  #answers: Uint8Array[] = [];
  #answerBytes = 0;
  #backlogTaken = 0;
  #stalledMs = 0;
  #ending = false;

  /** Takes the connection of the socket over. Throws when there are no descriptors left. */
  constructor(accepted: Socket, client: Client, share: SocketShare) {
    const socket = takeOver(accepted, (chunk) => this.#receive(chunk));
    this.#socket = socket;
    this.#share = share;
    const { limits } = share;
    const conversationLimits = {
      inFlightMax: limits.in_flight_per_connection_max,
      timeoutUsMax: limits.sign_timeout_ms * 1000,
      helloRequired: true,
    };
    this.#conversation = new Conversation(share.signing, client, this, conversationLimits, { inFlight: 0 });
    this.#reader = new FrameReader(this, share.budget);
    socket.on('drain', () => this.#drained());
    // The close that follows says all that is to be done.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#closed());
  }

  /** Who it is, for logs. */
  get description(): string {
    const { agent, client } = this.#conversation;
    return agent === '' ? describeCaller(client.caller) : `${describeCaller(client.caller)} ${agent}`;
  }

  frame(message: SignStreamRequest): boolean {
    return this.#conversation.receive(message);
  }

  malformed(message: string): void {
    this.#share.blame(this, message);
    this.#conversation.fault(message);
  }

  exhausted(): void {
    this.#share.blame(this, 'half frames and unread answers of all callers fill limits.buffered_bytes_max');
    this.#conversation.fault(
      'the service has no memory left for frames; try again later',
      WIRE_CODE.resource_exhausted,
    );
  }

  send(frame: SignStreamResponse): void {
    if (this.#ending) return;
    const answer = SignStreamResponse.encode(frame, writer).finish();
    if (this.#answers.push(answer) === 1) this.#share.flushSoon(this);
    this.#answerBytes += LENGTH_BYTES + answer.length;
  }

  end(): void {
    if (this.#ending) return;
    this.flush();
    this.#ending = true;
    this.#stalledMs = performance.now();
    this.#socket.end();
    this.#socket.resume();
  }

  /** Writes the answers of this turn of the event loop in one piece. */
  flush(): void {
    if (this.#answers.length === 0) return;
    const out = Buffer.allocUnsafe(this.#answerBytes);
    let at = 0;
    for (const answer of this.#answers) {
      out.writeUInt32BE(answer.length, at);
      out.set(answer, at + LENGTH_BYTES);
      at += LENGTH_BYTES + answer.length;
    }
    this.#answers = [];
    this.#answerBytes = 0;
    if (this.#ending) return;
    writeAtOnce(this.#socket, out);
    if (this.#socket.writableLength > 0) this.#backlog();
  }

  /** The service goes. */
  leave(reason: string): void {
    this.#conversation.leave(reason);
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Everything that waits for the caller ends here; called a few times in the shortest of the time limits. */
  sweep(nowMs: number): void {
    const { hello_timeout_ms, frame_timeout_ms } = this.#share.limits;
    this.#conversation.sweep(nowMs);
    if (this.#conversation.state === 'opening' && nowMs - this.#openedMs > hello_timeout_ms) {
      this.#timedOut(`expected a Hello within ${hello_timeout_ms} ms; none came; say Hello first`);
    } else if (this.#stalledMs > 0 && nowMs - this.#stalledMs > frame_timeout_ms) {
      this.#share.blame(this, `did not read its answers for ${frame_timeout_ms} ms`);
      this.#socket.destroy();
    } else if (this.#stalledMs === 0 && this.#reader.begunMs > 0 && nowMs - this.#reader.begunMs > frame_timeout_ms) {
      this.#timedOut(`expected the rest of a frame within ${frame_timeout_ms} ms; it did not come; send whole frames`);
    }
  }

  /** What comes after the end is read and dropped: bytes left unread would turn the close into a reset that overtakes the last answer. */
  #receive(chunk: Buffer): void {
    if (!this.#ending) this.#reader.push(chunk);
  }

  #timedOut(message: string): void {
    this.#share.blame(this, message);
    this.#conversation.fault(message, WIRE_CODE.deadline_exceeded);
  }

  /** The caller reads more slowly than it asks. */
  #backlog(): void {
    const length = this.#socket.writableLength;
    if (length > BACKLOG_CLOSE_BYTES || !this.#accountBacklog(length)) {
      this.#share.blame(this, `has ${length} bytes of answers unread`);
      this.#socket.destroy();
      return;
    }
    if (length > BACKLOG_PAUSE_BYTES && this.#stalledMs === 0) {
      this.#stalledMs = performance.now();
      this.#socket.pause();
    }
  }

  #accountBacklog(length: number): boolean {
    const { budget } = this.#share;
    if (length > this.#backlogTaken) {
      if (!budget.take(length - this.#backlogTaken)) return false;
    } else budget.give(this.#backlogTaken - length);
    this.#backlogTaken = length;
    return true;
  }

  #drained(): void {
    this.#accountBacklog(this.#socket.writableLength);
    if (this.#stalledMs === 0 || this.#ending) return;
    this.#stalledMs = 0;
    this.#socket.resume();
  }

  #closed(): void {
    this.#ending = true;
    this.#conversation.close();
    this.#reader.release();
    this.#accountBacklog(0);
    this.#share.gone(this);
  }
}
