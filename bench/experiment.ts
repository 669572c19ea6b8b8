/** The words of experiments.ts, which lists what is measured. */

export type KeyKind = 'p256' | 'rsa2048';

/** What the loads of an experiment run on. Those that are equal are one. */
export type SiteWish = ServiceWish | ServersWish;

/** A token and `signet serve` before it, with audit, grants and verification as they are by default. */
export interface ServiceWish {
  readonly kind: 'service';
  readonly key: KeyKind;
  /** Signer processes; the default is 1. */
  readonly signers?: number;
  /** Sessions of each signer; the default is the service's. */
  readonly sessions?: number;
  /**
   * `softhsm`, which is the default; `null`: one that costs nothing (path/null_token.c); a number: SoftHSM that takes so many milliseconds;
   * so many keys: path/keys_token.c. The others have one key.
   */
  readonly token?: 'softhsm' | 'null' | number | { readonly keys: number };
}

/** Web servers of one worker on a core of its own, with keys of both kinds; tls/servers makes them. */
export interface ServersWish {
  readonly kind: 'servers';
  /** `slow`: SoftHSM that takes as long as the load says. */
  readonly token: 'softhsm' | 'slow';
}

export const SERVERS = [
  'nginx-file',
  'nginx-provider',
  'nginx-async',
  'nginx-file-beside',
  'nginx-engine',
  'nginx-libp11',
  'nginx-libp11-softhsm',
  'haproxy-file',
  'haproxy-provider',
  'haproxy-async',
] as const;
export type ServerName = (typeof SERVERS)[number];

/** How much at once, in all, with answers making room; or so many a second whatever the answers do. */
export type Pace = { readonly inFlight: number } | { readonly rate: Rate };

/** A share of the throughput that another run of the experiment had. */
export interface Rate {
  readonly of: string;
  readonly share: number;
}

export type Load =
  /** A C loop on the token. */
  | { readonly by: 'floor'; readonly sessions: number; readonly processes?: number }
  /** The same loop with libcrypto in place of the token. */
  | { readonly by: 'openssl'; readonly sessions: number; readonly processes?: number }
  /** The C client library: threads with a connection and one request in flight each. */
  | { readonly by: 'clients'; readonly clients: number }
  /** The socket transport, from one thread. */
  | { readonly by: 'socket'; readonly connections?: number; readonly pace: Pace }
  | {
      readonly by: 'grpc';
      readonly carrier: 'unary' | 'stream';
      readonly over: 'unix' | 'mtls';
      readonly connections?: number;
      readonly pace: Pace;
    }
  /** The C loop on the same token through p11-kit's remoting. */
  | { readonly by: 'p11-kit'; readonly sessions: number; readonly processes: number }
  /** Full handshakes. */
  | {
      readonly by: 'handshakes';
      readonly server: ServerName;
      readonly key: 'ec' | 'rsa';
      readonly version: '1.2' | '1.3';
      readonly pace: VisitPace;
      /** What the token takes for a signature, in milliseconds, where it is slow. */
      readonly tokenMs?: number;
      /** How many plain pages a second are fetched from the same worker meanwhile, and timed, at a constant rate. */
      readonly pagesPerSecond?: number;
    };

/** So many at once, the next when one ends; or so many a second whatever becomes of them. */
export type VisitPace = { readonly atOnce: number } | { readonly perSecond: number };

export interface Run {
  readonly name: string;
  readonly on: SiteWish;
  readonly load: Load;
  /** Its place in a plot: which line, and where on the axis. */
  readonly line?: string;
  /** How long the turn lasts that is not counted, where the default is too short to wake all that was idle. */
  readonly firstSeconds?: number;
  readonly x?: number;
}

/** Runs that are compared: they take turns, so that all meet the same weather. */
export interface Experiment {
  readonly name: string;
  /** What it tells, as a question. */
  readonly question: string;
  readonly turns: number;
  /** Of each run in a turn. */
  readonly seconds: number;
  readonly runs: readonly Run[];
}
