import { type SignetError, WIRE_CODE } from '../errors.js';
import type { Hello, SignRequest, SignStreamRequest, SignStreamResponse } from '../gen/signet/v1/sign.js';
import type { Outcome } from '../sign-job.js';
import type { Client, Signing, TraceParent } from '../signing.js';
import { InFlight } from './in-flight.js';

/**
 * What both carriers of the envelope (sign.proto) have in common: the socket transport and the gRPC stream.
 *
 * A conversation is
 * - `opening` until the caller has said Hello (a carrier may do without: then its first request opens it);
 * - `open` while it takes requests;
 * - `leaving` after the service said GoAway: what is in flight is answered, what crosses the GoAway on its way is still
 *   taken for GO_AWAY_CROSSING_MS, and the end comes when nothing is in flight any more;
 * - `closed`: nothing is sent, nothing is taken, what was in flight has been cancelled.
 */
export type ConversationState = 'opening' | 'open' | 'leaving' | 'closed';

/** What carries the frames to the caller. */
export interface Carrier {
  /** Sends a frame, now or at the end of this turn of the event loop. Throws nothing. */
  send(frame: SignStreamResponse): void;
  /** Sends what was given to `send`, then closes. */
  end(): void;
}

/** How many requests are in flight on one connection, which several gRPC streams share. */
export interface Load {
  inFlight: number;
}

export interface ConversationLimits {
  readonly inFlightMax: number;
  readonly timeoutUsMax: number;
  readonly helloRequired: boolean;
}

export const PROTOCOL_VERSION = 1;
/** A frame without its length prefix, in bytes; sign.proto. */
export const FRAME_BYTES_MAX = 65_536;
/** Requests that left the caller before it read the GoAway are still taken for this long: a handshake less that fails. */
export const GO_AWAY_CROSSING_MS = 250;
/** … and until it has been swept so often: between two sweeps everything that had come is read, however late the service got to run. */
const CROSSING_SWEEPS = 2;

const SERVICE_AGENT = 'signet';
/** Error.message and GoAway.reason in sign.proto. */
const SENTENCE_BYTES_MAX = 256;

export class Conversation {
  readonly client: Client;
  readonly #signing: Signing;
  readonly #carrier: Carrier;
  readonly #limits: ConversationLimits;
  readonly #load: Load;
  readonly #parent: TraceParent | undefined;
  readonly #inFlight = new InFlight();
  #state: ConversationState = 'opening';
  #leftMs = 0;
  #crossingSweeps = 0;
  #agent = '';

  /** `parent` is the caller's span, if it told one when it opened the conversation. */
  constructor(
    signing: Signing,
    client: Client,
    carrier: Carrier,
    limits: ConversationLimits,
    load: Load,
    parent?: TraceParent,
  ) {
    this.#signing = signing;
    this.client = client;
    this.#carrier = carrier;
    this.#limits = limits;
    this.#load = load;
    this.#parent = parent;
  }

  get state(): ConversationState {
    return this.#state;
  }

  /** What the caller said of itself; for logs. */
  get agent(): string {
    return this.#agent;
  }

  /** Takes a frame. Whether more may come: false once the conversation is closed. */
  receive(frame: SignStreamRequest): boolean {
    if (this.#state === 'closed') return false;
    const { id, body } = frame;
    if (id === 0) return this.fault('expected an id of 1 or more; 0 came; number the requests from 1');
    if (body?.$case === 'sign') return this.#sign(id, body.value);
    if (body?.$case === 'hello') return this.#hello(id, body.value);
    if (body === undefined) {
      return this.fault('expected a body of hello, sign, cancel or ping; none that is known came; speak version 1');
    }
    if (this.#state === 'opening' && !this.#openWithoutHello()) return false;
    if (body.$case === 'ping') this.#carrier.send({ id, body: { $case: 'pong', value: {} } });
    // A cancel whose request is unknown crossed its answer.
    else this.#inFlight.get(id)?.();
    return true;
  }

  /** Tells the caller what it did wrong, by an Error with id 0, and closes. Returns false, as `receive` then does. */
  fault(message: string, code = WIRE_CODE.invalid_argument): false {
    if (this.#state === 'closed') return false;
    this.#carrier.send({ id: 0, body: { $case: 'error', value: { code, message: sentence(message) } } });
    this.close();
    this.#carrier.end();
    return false;
  }

  /** The service goes: answers what is in flight, then ends. `sweep` must be called from then on. */
  leave(reason: string): void {
    if (this.#state === 'closed' || this.#state === 'leaving') return;
    this.#state = 'leaving';
    this.#leftMs = performance.now();
    this.#crossingSweeps = CROSSING_SWEEPS;
    this.#carrier.send({ id: 0, body: { $case: 'goAway', value: { reason: sentence(reason) } } });
  }

  /** The caller asks nothing more but waits for its answers: ends when they are given. */
  finish(): void {
    if (this.#state === 'closed') return;
    this.#state = 'leaving';
    this.#leftMs = Number.NEGATIVE_INFINITY;
    this.#crossingSweeps = 0;
    this.#endIfDone(performance.now());
  }

  /** Ends a leaving conversation whose time for crossing requests is over and that has nothing in flight. */
  sweep(nowMs: number): void {
    if (this.#crossingSweeps > 0) this.#crossingSweeps--;
    this.#endIfDone(nowMs);
  }

  /** The caller has gone, or must go: cancels what is in flight; its answers are dropped. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#load.inFlight -= this.#inFlight.size;
    for (const cancel of this.#inFlight.takeAll()) cancel();
  }

  #sign(id: number, request: SignRequest): boolean {
    if (this.#state === 'opening' && !this.#openWithoutHello()) return false;
    if (this.#inFlight.has(id)) {
      return this.fault(`expected an id that is not in flight; ${id} came twice; use a fresh one`);
    }
    if (this.#load.inFlight >= this.#limits.inFlightMax) {
      return this.#refuse(
        id,
        'resource_exhausted',
        `${this.#limits.inFlightMax} requests are in flight on this connection`,
      );
    }
    if (this.#state === 'leaving' && !this.#isCrossing(performance.now())) {
      return this.#refuse(id, 'unavailable', 'the service said GoAway on this connection; open a new one');
    }
    this.#load.inFlight++;
    this.#inFlight.add(
      id,
      this.#signing.sign(this.client, request, (outcome) => this.#answer(id, outcome), this.#parent),
    );
    return true;
  }

  #answer(id: number, outcome: Outcome): void {
    if (!this.#inFlight.delete(id)) return;
    this.#load.inFlight--;
    this.#carrier.send({ id, body: outcome.ok ? signed(outcome) : failed(outcome.error) });
    if (this.#state === 'leaving' && this.#inFlight.size === 0) this.#endIfDone(performance.now());
  }

  #endIfDone(nowMs: number): void {
    if (this.#state !== 'leaving' || this.#inFlight.size > 0 || this.#isCrossing(nowMs)) return;
    this.close();
    this.#carrier.end();
  }

  /** Whether what comes may have left before the GoAway was read. */
  #isCrossing(nowMs: number): boolean {
    return this.#crossingSweeps > 0 || nowMs - this.#leftMs < GO_AWAY_CROSSING_MS;
  }

  #hello(id: number, hello: Hello): boolean {
    if (this.#state !== 'opening' && this.#state !== 'leaving') {
      return this.fault('expected one Hello, before all else; another came; say it once');
    }
    if (hello.version === 0) return this.fault('expected a version of 1 or more in Hello; 0 came; speak version 1');
    if (this.#state === 'opening') this.#state = 'open';
    this.#agent = hello.agent.slice(0, 64);
    this.#carrier.send({ id, body: { $case: 'helloAck', value: this.#helloAck(hello) } });
    return true;
  }

  #helloAck(hello: Hello) {
    return {
      version: Math.min(hello.version, PROTOCOL_VERSION),
      inFlightMax: this.#limits.inFlightMax,
      frameBytesMax: FRAME_BYTES_MAX,
      timeoutUsMax: this.#limits.timeoutUsMax,
      agent: SERVICE_AGENT,
    };
  }

  #openWithoutHello(): boolean {
    if (this.#limits.helloRequired) {
      return this.fault('expected a Hello as the first frame; another came; say Hello first');
    }
    this.#state = 'open';
    return true;
  }

  #refuse(id: number, code: keyof typeof WIRE_CODE, message: string): true {
    this.#carrier.send({ id, body: { $case: 'error', value: { code: WIRE_CODE[code], message } } });
    return true;
  }
}

function signed(outcome: Outcome & { ok: true }): SignStreamResponse['body'] {
  const { signature, queueUs, tokenUs } = outcome;
  return {
    $case: 'sign',
    value: { signature: signature as Buffer, queueUs: queueUs >>> 0, tokenUs: tokenUs >>> 0 },
  };
}

function failed(error: SignetError): SignStreamResponse['body'] {
  return { $case: 'error', value: { code: WIRE_CODE[error.code], message: sentence(error.message) } };
}

/** A sentence in at most the bytes that the contract allows; a longer one ends in "...". */
export function sentence(text: string): string {
  if (text.length <= SENTENCE_BYTES_MAX / 3 || Buffer.byteLength(text) <= SENTENCE_BYTES_MAX) return text;
  const cut = Buffer.from(text)
    .subarray(0, SENTENCE_BYTES_MAX - 3)
    .toString('utf8');
  return `${cut.replace(/\uFFFD+$/, '')}...`;
}
