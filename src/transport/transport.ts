/** A running transport; src/service.ts starts and ends it. */
export interface Transport {
  readonly name: 'socket' | 'grpc' | 'admin';
  /** Where it listens: paths, and host:port with the real port. */
  readonly addresses: readonly string[];
  /** How many are open now. */
  readonly connections: number;
  /**
   * Takes no new connections, tells the callers to go, waits for what is in flight and closes; what is not answered when the
   * time is over is cut off. Resolves when every connection is closed.
   */
  drain(timeoutMs: number): Promise<void>;
  /** Closes everything at once. */
  close(): void;
}

/** What a caller reads when the service ends. */
export const GOING_AWAY = 'the service ends; open a new connection';
