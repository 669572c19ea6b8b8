import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { ErrorCode, SignatureScheme, type SignRequest, SignStreamResponse } from '../../src/gen/signet/v1/sign.js';
import { type Place, Row } from '../../src/row.js';
import { Slots } from '../../src/slots.js';
import { framed } from '../fixtures/socket-client.js';

/** How a request was answered; times by performance.now(), in milliseconds. */
export interface Answer {
  readonly askedMs: number;
  readonly tookMs: number;
  /** `OK`, the name of the error's code without its prefix, or `CLOSED`. */
  readonly code: string;
  readonly signature: Uint8Array | undefined;
}

/** One that has no answer yet. */
interface Waiting {
  readonly askedMs: number;
  readonly answered: (answer: Answer) => void;
  place: Place | undefined;
}

/**
 * A caller of the socket transport for loads: many requests in flight, and of the answers only what a measurement needs. What it would spend in
 * the garbage collector it would measure as the service's latency, so it keeps no Map (src/row.ts).
 */
export class PipelinedClient {
  readonly #socket: Socket;
  readonly #waiting = new Row<Waiting>();
  readonly #slots = new Slots<Waiting>();
  #bytes: Buffer = Buffer.alloc(0);
  #onHello: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const waiting of [...this.#waiting]) this.#settle(waiting, 'CLOSED', undefined);
    });
  }

  /** Connects and says Hello. Rejects when the service closes instead. */
  static async open(path: string): Promise<PipelinedClient> {
    const socket = connect(path);
    await once(socket, 'connect');
    const client = new PipelinedClient(socket);
    const acknowledged = new Promise<void>((resolve, reject) => {
      client.#onHello = resolve;
      socket.once('close', () => reject(new Error('closed before the HelloAck')));
    });
    socket.write(framed({ id: 1, body: { $case: 'hello', value: { version: 1, agent: 'load/1' } } }));
    await acknowledged;
    return client;
  }

  get inFlight(): number {
    return this.#waiting.size;
  }

  get closed(): boolean {
    return this.#socket.destroyed;
  }

  /** Asks; the id can be cancelled. */
  ask(request: SignRequest, answered: (answer: Answer) => void): number {
    const waiting: Waiting = { askedMs: performance.now(), answered, place: undefined };
    waiting.place = this.#waiting.add(waiting);
    const id = this.#slots.add(waiting);
    this.#socket.write(framed({ id, body: { $case: 'sign', value: request } }));
    return id;
  }

  request(request: SignRequest): Promise<Answer> {
    return new Promise((resolve) => this.ask(request, resolve));
  }

  cancel(id: number): void {
    this.#socket.write(framed({ id, body: { $case: 'cancel', value: {} } }));
  }

  /** Closes and waits until it is closed. */
  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    const closed = once(this.#socket, 'close');
    this.#socket.destroy();
    await closed;
  }

  #read(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    let at = 0;
    for (let end = this.#end(at); end > 0; end = this.#end(at)) {
      this.#take(SignStreamResponse.decode(this.#bytes.subarray(at + 4, end)));
      at = end;
    }
    this.#bytes = this.#bytes.subarray(at);
  }

  /** Where the frame that begins there ends; 0 if it has not wholly come. */
  #end(at: number): number {
    if (this.#bytes.length - at < 4) return 0;
    const end = at + 4 + this.#bytes.readUInt32BE(at);
    return end <= this.#bytes.length ? end : 0;
  }

  #take({ id, body }: SignStreamResponse): void {
    if (body?.$case === 'helloAck') this.#onHello();
    else if (body?.$case === 'sign') this.#answered(id, 'OK', body.value.signature);
    else if (body?.$case === 'error')
      this.#answered(id, ErrorCode[body.value.code].replace('ERROR_CODE_', ''), undefined);
  }

  #answered(id: number, code: string, signature: Uint8Array | undefined): void {
    const waiting = this.#slots.take(id);
    if (waiting) this.#settle(waiting, code, signature);
  }

  #settle({ askedMs, answered, place }: Waiting, code: string, signature: Uint8Array | undefined): void {
    if (place) this.#waiting.remove(place);
    answered({ askedMs, tookMs: performance.now() - askedMs, code, signature });
  }
}

/** What a load asks for: ecdsa_secp256r1_sha256 over a message of a use that every grant of the tests gives. */
export function loadRequest(spkiSha256: Buffer, timeoutMs: number, message = LOAD_MESSAGE): SignRequest {
  return {
    spkiSha256,
    scheme: SignatureScheme.SIGNATURE_SCHEME_ECDSA_SECP256R1_SHA256,
    input: { $case: 'message', value: message },
    timeoutUs: timeoutMs * 1000,
    attemptId: Buffer.alloc(0),
  };
}

export const LOAD_MESSAGE = Buffer.from('signed under load');
