import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Caller } from '../../caller.js';
import type { Limits, RoleSocketConfig } from '../../config/schema.js';
import type { Signing } from '../../signing.js';
import { ByteBudget } from '../byte-budget.js';
import { GO_AWAY_CROSSING_MS } from '../conversation.js';
import { type PeerCredentials, unixCaller } from '../peer.js';
import { GOING_AWAY, type Transport } from '../transport.js';
import { type Listener, listenUnix } from '../unix-listener.js';
import { SocketConnection, type SocketShare } from './socket-connection.js';

export interface SocketTransportOptions {
  readonly sockets: readonly RoleSocketConfig[];
  readonly limits: Limits;
  readonly signing: Signing;
  readonly log: Logger;
  readonly peerCredentials: PeerCredentials;
}

/** Listens on a Unix socket per client role and speaks docs/protocol.md on it. */
export async function startSocketTransport(options: SocketTransportOptions): Promise<Transport> {
  const transport = new SocketTransport(options);
  try {
    await transport.listen();
  } catch (thrown) {
    transport.close();
    throw thrown;
  }
  return transport;
}

/** How often the time limits are looked at, as a part of the shortest of them. */
const SWEEPS_PER_LIMIT = 4;
const SWEEP_MS_MAX = 1_000;
/** A destroyed socket is closed in the next turn of the event loop; this is only so that nothing waits for ever. */
const CUT_MS = 1_000;

class SocketTransport implements Transport, SocketShare {
  readonly name = 'socket';
  readonly signing: Signing;
  readonly limits: Limits;
  readonly budget: ByteBudget;
  readonly #options: SocketTransportOptions;
  readonly #log: Logger;
  readonly #listeners: Listener[] = [];
  readonly #connections = new Set<SocketConnection>();
  #unflushed: SocketConnection[] = [];
  #sweeper: NodeJS.Timeout;
  #full = false;
  #onEmpty: () => void = () => undefined;

  constructor(options: SocketTransportOptions) {
    const { limits } = options;
    this.#options = options;
    this.signing = options.signing;
    this.limits = limits;
    this.budget = new ByteBudget(limits.buffered_bytes_max);
    this.#log = options.log.child({ part: 'socket' });
    const shortest = Math.min(limits.hello_timeout_ms, limits.frame_timeout_ms);
    this.#sweeper = this.#sweepEvery(Math.min(SWEEP_MS_MAX, Math.ceil(shortest / SWEEPS_PER_LIMIT)));
  }

  get addresses(): readonly string[] {
    return this.#listeners.map((listener) => listener.address);
  }

  get connections(): number {
    return this.#connections.size;
  }

  async listen(): Promise<void> {
    for (const socket of this.#options.sockets) {
      this.#listeners.push(await listenUnix(socket, (connection) => this.#connected(connection, socket.role)));
    }
  }

  async drain(timeoutMs: number): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    for (const connection of this.#connections) connection.leave(GOING_AWAY);
    clearInterval(this.#sweeper);
    this.#sweeper = this.#sweepEvery(GO_AWAY_CROSSING_MS / SWEEPS_PER_LIMIT);
    await this.#empty(timeoutMs);
    if (this.#connections.size > 0)
      this.#log.warn({ connections: this.#connections.size }, 'drain timed out; connections cut');
    this.close();
    await this.#empty(CUT_MS);
  }

  close(): void {
    clearInterval(this.#sweeper);
    for (const listener of this.#listeners) listener.close();
    for (const connection of this.#connections) connection.destroy();
  }

  flushSoon(connection: SocketConnection): void {
    if (this.#unflushed.push(connection) === 1) setImmediate(() => this.#flush());
  }

  gone(connection: SocketConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty();
    this.#log.debug({ caller: connection.description }, 'connection closed');
  }

  blame(connection: SocketConnection, reason: string): void {
    this.#log.warn({ caller: connection.description, reason }, 'connection closed because of its caller');
  }

  #connected(socket: Socket, role: string): void {
    const caller = unixCaller(socket, role, this.#options.peerCredentials);
    if (caller === undefined || this.#refusesMore()) {
      socket.destroy();
      return;
    }
    const connection = this.#open(socket, caller);
    if (!connection) return;
    this.#connections.add(connection);
    this.#log.debug({ caller: connection.description }, 'connection opened');
  }

  #open(socket: Socket, caller: Caller): SocketConnection | undefined {
    try {
      return new SocketConnection(socket, this.signing.identify(caller), this);
    } catch (err) {
      this.#log.warn({ err }, 'connection refused: no descriptor for it; raise the limit of open files (ulimit -n)');
      socket.destroy();
      return undefined;
    }
  }

  /** Says so once, not for every refused connection. */
  #refusesMore(): boolean {
    const full = this.#connections.size >= this.limits.connections_max;
    if (full && !this.#full) this.#log.warn({ connections_max: this.limits.connections_max }, 'connections refused');
    this.#full = full;
    return full;
  }

  #flush(): void {
    const connections = this.#unflushed;
    this.#unflushed = [];
    for (const connection of connections) connection.flush();
  }

  #sweepEvery(intervalMs: number): NodeJS.Timeout {
    return setInterval(() => {
      const nowMs = performance.now();
      for (const connection of this.#connections) connection.sweep(nowMs);
    }, intervalMs).unref();
  }

  #empty(timeoutMs: number): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
