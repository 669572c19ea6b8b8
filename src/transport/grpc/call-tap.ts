import {
  type ServerInterceptingCallInterface as Call,
  type Metadata,
  type ServerDuplexStream,
  ServerInterceptingCall,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';

/**
 * grpc-js at one level below its streams, by its public interceptors, for two things that its handlers cannot do:
 *
 * - its Writable sends a message only when the one before it is on the socket: one write(2) and one turn of the event loop per
 *   answer. `callUnder` gives a stream's handler the call itself, where messages can be sent at once, which HTTP/2 then
 *   writes together;
 * - the handler of a unary call runs when its message has come; a caller that sends none would hold the call for ever.
 */
export function callTap(messageTimeoutMs: number): ServerInterceptor {
  return (method, call) => {
    if (method.path.startsWith('/grpc.reflection.')) return call as ServerInterceptingCall;
    return method.requestStream ? new TappedCall(call) : new TimedCall(call, messageTimeoutMs);
  };
}

/** The call under a bidirectional stream. */
export function callUnder(stream: ServerDuplexStream<unknown, unknown>): Call | undefined {
  return CALLS.get(stream.metadata);
}

/** By the metadata, the one thing that interceptor and handler have in common. */
const CALLS = new WeakMap<Metadata, Call>();

type Listener = Parameters<Call['start']>[0];

class TappedCall extends ServerInterceptingCall {
  readonly #call: Call;

  constructor(call: Call) {
    super(call);
    this.#call = call;
  }

  override start(listener: Listener): void {
    this.#call.start({
      onReceiveMetadata: (metadata) => {
        CALLS.set(metadata, this.#call);
        listener.onReceiveMetadata(metadata);
      },
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => listener.onReceiveHalfClose(),
      onCancel: () => listener.onCancel(),
    });
  }
}

class TimedCall extends ServerInterceptingCall {
  readonly #call: Call;
  readonly #timeoutMs: number;

  constructor(call: Call, timeoutMs: number) {
    super(call);
    this.#call = call;
    this.#timeoutMs = timeoutMs;
  }

  override start(listener: Listener): void {
    const timer = setTimeout(() => this.#late(), this.#timeoutMs);
    this.#call.start({
      onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => {
        clearTimeout(timer);
        listener.onReceiveHalfClose();
      },
      onCancel: () => {
        clearTimeout(timer);
        listener.onCancel();
      },
    });
  }

  #late(): void {
    const details = `expected the whole request within ${this.#timeoutMs} ms; it did not come; send it at once`;
    this.#call.sendStatus({ code: status.DEADLINE_EXCEEDED, details });
  }
}
