import type { Socket } from 'node:net';
import { type Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { type Caller, describeCaller } from '../../caller.js';
import type { Limits, RoleSocketConfig, TcpConfig } from '../../config/schema.js';
import { SignetError } from '../../errors.js';
import { FRAME_BYTES_MAX } from '../conversation.js';
import { type PeerCredentials, unixCaller } from '../peer.js';
import { type Listener, listenUnix } from '../unix-listener.js';
import { callTap } from './call-tap.js';
import { whenPrefaced } from './preface.js';
import { nameOf, ResetWatch } from './reset-watch.js';
import { listenTls, type TlsListener } from './tls-listener.js';

/** What a call tells of its caller. */
export interface Call {
  getPeer(): string;
  readonly metadata: Metadata;
}

/**
 * A grpc-js server whose connections come from listeners of our own, so that it is known who is at the other end:
 * `identify` makes of a caller what `peerOf` later gives for each of its calls; `cut` closes its connection at once.
 */
export class GrpcServer<Peer> {
  readonly server: Server;
  readonly #limits: Limits;
  readonly #log: Logger;
  readonly #injector: ReturnType<Server['createConnectionInjector']>;
  readonly #identify: (caller: Caller, cut: () => void) => Peer;
  readonly #listeners: Listener[] = [];
  /** In the order of the configuration. */
  readonly #tlsListeners: TlsListener[] = [];
  readonly #peers = new Map<string, Peer>();
  readonly #callers = new Map<string, Connection>();
  readonly #resets = new ResetWatch();
  #held = 0;
  readonly #sockets = new Set<Socket>();
  #connections = 0;
  #draining = false;
  #full = false;

  constructor(limits: Limits, log: Logger, identify: (caller: Caller, cut: () => void) => Peer) {
    this.#limits = limits;
    this.#log = log;
    this.#identify = identify;
    this.server = new Server(serverOptions(limits, (peer) => this.#takenBack(peer)));
    // TLS, where there is some, is done before grpc-js sees the connection.
    this.#injector = this.server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  get addresses(): readonly string[] {
    return this.#listeners.map((listener) => listener.address);
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async listenUnix(config: RoleSocketConfig, peerCredentials: PeerCredentials): Promise<void> {
    const listener = await listenUnix(config, (socket) => {
      const caller = unixCaller(socket, config.role, peerCredentials);
      if (caller === undefined) socket.destroy();
      else this.#inject(socket, caller);
    });
    this.#listeners.push(listener);
  }

  async listenTls(config: TcpConfig): Promise<void> {
    const options = { limits: this.#limits, log: this.#log };
    const listener = await listenTls(config, options, (socket, caller) => this.#inject(socket, caller));
    this.#listeners.push(listener);
    this.#tlsListeners.push(listener);
  }

  /** Reads the TLS files of the nth TLS listener; what it returns puts them into force. Throws TlsFileError. */
  prepareTls(nth: number, config: TcpConfig): () => void {
    return this.#tlsListeners[nth]?.prepare(config) ?? (() => undefined);
  }

  /** Who made a call. Throws SignetError unavailable if its connection has gone. */
  peerOf(call: Pick<Call, 'getPeer'>): Peer {
    const peer = this.#peers.get(call.getPeer());
    if (peer === undefined)
      throw new SignetError('unavailable', 'the connection of this call has gone; open a new one');
    return peer;
  }

  stopListening(): void {
    for (const listener of this.#listeners) listener.close();
    this.#draining = true;
  }

  /** Says GOAWAY, waits until the calls are done, and closes the connections; cuts them off when the time is over. */
  async drain(timeoutMs: number): Promise<void> {
    this.stopListening();
    const timedOut = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs, true);
      this.server.tryShutdown(() => {
        clearTimeout(timer);
        resolve(false);
      });
    });
    if (timedOut) this.#log.warn({ connections: this.#sockets.size }, 'drain timed out; connections cut');
    this.close();
  }

  close(): void {
    this.stopListening();
    for (const socket of this.#sockets) socket.destroy();
    this.server.forceShutdown();
  }

  /** grpc-js shows a call's connection only by its address, so each gets one of its own that names it. */
  #inject(socket: Socket, caller: Caller): void {
    if (this.#draining || this.#refusesMore()) {
      socket.destroy();
      return;
    }
    if (this.#resets.isBarred(caller, performance.now())) return this.#hold(socket);
    const name = `connection-${++this.#connections}`;
    Object.defineProperty(socket, 'remoteAddress', { value: name });
    Object.defineProperty(socket, 'remotePort', { value: undefined });
    this.#peers.set(
      name,
      this.#identify(caller, () => socket.destroy()),
    );
    this.#callers.set(name, { caller, socket, takesBack: false });
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#peers.delete(name);
      this.#callers.delete(name);
      this.#sockets.delete(socket);
    });
    whenPrefaced(socket, this.#limits.hello_timeout_ms, () => {
      if (!socket.destroyed) this.#injector.injectConnection(socket);
    });
  }

  /** Called for every call that its caller takes back early, except when the whole connection has gone. */
  #takenBack(name: string): void {
    const connection = this.#callers.get(name);
    if (!connection || connection.socket.destroyed) return;
    connection.takesBack = true;
    if (!this.#resets.note(connection.caller, performance.now())) return;
    const caller = nameOf(connection.caller);
    this.#log.warn({ caller: describeCaller(connection.caller) }, 'caller barred: it takes calls back too fast');
    for (const each of this.#callers.values()) {
      if (each.takesBack && nameOf(each.caller) === caller) each.socket.destroy();
    }
  }

  /** A caller who is barred and comes again at once is not told so at once, or it would come again and again. */
  #hold(socket: Socket): void {
    socket.on('error', () => undefined);
    if (this.#held >= HELD_MAX) return void socket.destroy();
    this.#held++;
    const timer = setTimeout(() => socket.destroy(), HOLD_MS);
    socket.on('close', () => {
      this.#held--;
      clearTimeout(timer);
    });
  }

  /** Says so once, not for every refused connection. */
  #refusesMore(): boolean {
    const full = this.#sockets.size >= this.#limits.connections_max;
    if (full && !this.#full) this.#log.warn({ connections_max: this.#limits.connections_max }, 'connections refused');
    this.#full = full;
    return full;
  }
}

interface Connection {
  readonly caller: Caller;
  readonly socket: Socket;
  /** Whether a call was taken back on it early. */
  takesBack: boolean;
}

/** What HTTP/2 may keep for one connection, in MB: frames that are not read yet, headers, settings. */
const SESSION_MEMORY_MB = 16;
/** A page of keys is cut to fit (key-service.ts). */
const SEND_BYTES_MAX = 4 * 1024 * 1024;
/** A peer that is gone without a word, or in the middle of a frame, is found after these two together (reliability goal B7). */
const KEEPALIVE_TIME_MS = 15_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
const CONNECTION_IDLE_MS = 600_000;
/** An hour, so that a caller's certificate is looked at again; streams are told to go before (STREAM_AGE_MS). */
const CONNECTION_AGE_MS = 3_600_000;
/** No SignStream may live longer than this; its caller opens the next one on the same connection or a new one. */
export const STREAM_AGE_MS = 1_800_000;

/** Callers who are barred are held so long, and so many of them. */
const HOLD_MS = 1_000;
const HELD_MAX = 64;

/** All that grpc-js does not limit by itself. */
function serverOptions(limits: Limits, takenBack: (peer: string) => void) {
  return {
    'grpc.max_concurrent_streams': limits.in_flight_per_connection_max,
    'grpc-node.max_session_memory': SESSION_MEMORY_MB,
    'grpc.max_receive_message_length': FRAME_BYTES_MAX,
    'grpc.max_send_message_length': SEND_BYTES_MAX,
    'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.max_connection_idle_ms': CONNECTION_IDLE_MS,
    'grpc.max_connection_age_ms': CONNECTION_AGE_MS,
    'grpc.max_connection_age_grace_ms': STREAM_AGE_MS + limits.drain_timeout_ms,
    'grpc.enable_channelz': 0,
    interceptors: [callTap(limits.frame_timeout_ms, takenBack)],
  };
}
