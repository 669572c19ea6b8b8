import type { ServerDuplexStream, ServerInterceptingCallInterface } from '@grpc/grpc-js';
import type { SignStreamRequest, SignStreamResponse } from '../../gen/signet/v1/sign.js';
import { type Carrier, Conversation } from '../conversation.js';
import { GOING_AWAY } from '../transport.js';
import { callUnder } from './call-tap.js';
import { STREAM_AGE_MS } from './grpc-server.js';
import type { SigningPeer, SigningShare } from './signing-service.js';
import { traceParentOf } from './trace-parent.js';

/** A caller that has this many answers unread is asked for no more requests until it has read them. */
const BACKLOG_PAUSE_ANSWERS = 512;
/** What an unread answer holds in memory, in bytes: a signature of RSA-4096 and what HTTP/2 keeps of it. */
const ANSWER_BYTES = 1_024;

/** One SignStream: the envelope of sign.proto over gRPC. What the frames mean is the conversation's. */
export class StreamConnection implements Carrier {
  readonly #stream: ServerDuplexStream<SignStreamRequest, SignStreamResponse>;
  readonly #call: ServerInterceptingCallInterface;
  readonly #peer: SigningPeer;
  readonly #share: SigningShare;
  readonly #conversation: Conversation;
  readonly #openedMs = performance.now();
  #unread = 0;
  #stalledMs = 0;
  #ended = false;

  constructor(
    stream: ServerDuplexStream<SignStreamRequest, SignStreamResponse>,
    peer: SigningPeer,
    share: SigningShare,
  ) {
    const { limits } = share;
    this.#stream = stream;
    this.#call = callUnder(stream) as ServerInterceptingCallInterface;
    this.#peer = peer;
    this.#share = share;
    const conversationLimits = {
      inFlightMax: limits.in_flight_per_connection_max,
      timeoutUsMax: limits.sign_timeout_ms * 1000,
      helloRequired: false,
    };
    const parent = share.traced ? traceParentOf(stream.metadata) : undefined;
    this.#conversation = new Conversation(share.signing, peer.client, this, conversationLimits, peer.load, parent);
    share.streams.add(this);
    stream.on('data', (frame) => this.#conversation.receive(frame));
    stream.on('end', () => this.#conversation.finish());
    stream.on('error', () => undefined);
    stream.on('cancelled', () => this.#gone());
  }

  send(frame: SignStreamResponse): void {
    if (this.#ended) return;
    if (!this.#share.budget.take(ANSWER_BYTES)) {
      this.#peer.cut();
      return;
    }
    this.#unread++;
    this.#call.sendMessage(frame, this.#read);
    if (this.#unread > BACKLOG_PAUSE_ANSWERS && this.#stalledMs === 0) this.#pause();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stalledMs = performance.now();
    this.#stream.end();
  }

  leave(): void {
    this.#conversation.leave(GOING_AWAY);
  }

  sweep(nowMs: number): void {
    const { frame_timeout_ms } = this.#share.limits;
    // Nothing less would do: what is not read keeps its memory until the connection closes, and all of it is one caller's.
    if (this.#stalledMs > 0 && nowMs - this.#stalledMs > frame_timeout_ms) this.#peer.cut();
    if (nowMs - this.#openedMs > STREAM_AGE_MS) this.leave();
    this.#conversation.sweep(nowMs);
  }

  #pause(): void {
    this.#stalledMs = performance.now();
    this.#stream.pause();
  }

  /** An answer is on its way out of this process. */
  readonly #read = () => {
    if (this.#unread === 0) return;
    this.#unread--;
    this.#share.budget.give(ANSWER_BYTES);
    if (this.#stalledMs === 0 || this.#unread > BACKLOG_PAUSE_ANSWERS / 2 || this.#ended) return;
    this.#stalledMs = 0;
    this.#stream.resume();
  };

  #gone(): void {
    this.#ended = true;
    this.#conversation.close();
    this.#share.budget.give(this.#unread * ANSWER_BYTES);
    this.#unread = 0;
    this.#share.streams.delete(this);
  }
}
