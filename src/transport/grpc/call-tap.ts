import {
  type ServerInterceptingCallInterface as Call,
  type Metadata,
  type ServerDuplexStream,
  ServerInterceptingCall,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';

/**
 * grpc-js at one level below its streams, by its public interceptors, for three things that its handlers cannot do:
 *
 * - its Writable sends a message only when the one before it is on the socket: one write(2) and one turn of the event loop per
 *   answer. `callUnder` gives a stream's handler the call itself, where messages can be sent at once, which HTTP/2 then
 *   writes together;
 * - the handler of a unary call runs when its message has come; a caller that sends none would hold the call for ever;
 * - a call that is taken back before its message was read is seen by no handler at all.
 */
export function callTap(messageTimeoutMs: number, takenBack: (peer: string) => void): ServerInterceptor {
  return (method, call) => {
    if (method.path.startsWith('/grpc.reflection.')) return new WatchedCall(call, takenBack);
    if (method.requestStream) return new TappedCall(call, takenBack);
    return new TimedCall(call, takenBack, messageTimeoutMs);
  };
}

/** The call under a bidirectional stream. */
export function callUnder(stream: ServerDuplexStream<unknown, unknown>): Call | undefined {
  return CALLS.get(stream.metadata);
}

/** By the metadata, the one thing that interceptor and handler have in common. */
const CALLS = new WeakMap<Metadata, Call>();

type Listener = Parameters<Call['start']>[0];

class WatchedCall extends ServerInterceptingCall {
  protected readonly call: Call;
  readonly #takenBack: (peer: string) => void;
  /** Asked for now: a call that has ended does not know it any more. */
  readonly #peer: string;
  readonly #openedMs = Date.now();
  #answered = false;

  constructor(call: Call, takenBack: (peer: string) => void) {
    super(call);
    this.call = call;
    this.#takenBack = takenBack;
    this.#peer = call.getPeer();
  }

  override start(listener: Listener): void {
    this.call.start({
      onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => listener.onReceiveHalfClose(),
      onCancel: () => this.cancelled(listener),
    });
  }

  override sendStatus(status: Parameters<Call['sendStatus']>[0]): void {
    this.#answered = true;
    super.sendStatus(status);
  }

  /** Comes at the end of every call. A caller whose time was over, or nearly, has not taken the call back. */
  protected cancelled(listener: Listener): void {
    if (!this.#answered) {
      const allowedMs = Number(this.call.getDeadline()) - this.#openedMs;
      if (Date.now() - this.#openedMs < allowedMs * EARLY_SHARE) this.#takenBack(this.#peer);
    }
    listener.onCancel();
  }
}

/** Part of a call's time; clocks and the network differ by less than the rest. */
const EARLY_SHARE = 0.5;

class TappedCall extends WatchedCall {
  override start(listener: Listener): void {
    this.call.start({
      onReceiveMetadata: (metadata) => {
        CALLS.set(metadata, this.call);
        listener.onReceiveMetadata(metadata);
      },
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => listener.onReceiveHalfClose(),
      onCancel: () => this.cancelled(listener),
    });
  }
}

class TimedCall extends WatchedCall {
  readonly #timeoutMs: number;

  constructor(call: Call, takenBack: (peer: string) => void, timeoutMs: number) {
    super(call, takenBack);
    this.#timeoutMs = timeoutMs;
  }

  override start(listener: Listener): void {
    const timer = setTimeout(() => this.#late(), this.#timeoutMs);
    this.call.start({
      onReceiveMetadata: (metadata) => listener.onReceiveMetadata(metadata),
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveHalfClose: () => {
        clearTimeout(timer);
        listener.onReceiveHalfClose();
      },
      onCancel: () => {
        clearTimeout(timer);
        this.cancelled(listener);
      },
    });
  }

  #late(): void {
    const details = `expected the whole request within ${this.#timeoutMs} ms; it did not come; send it at once`;
    this.sendStatus({ code: status.DEADLINE_EXCEEDED, details });
  }
}
