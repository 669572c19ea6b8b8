import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Measured } from '../measured.js';
import type { Watch } from '../program.js';
import type { GrpcDoors } from './service.js';

/** A load on gRPC by @grpc/grpc-js; exactly one of `inFlight`, over all connections, and `rate`, per second. */
export interface GrpcWish {
  readonly carrier: 'unary' | 'stream';
  readonly address: string;
  /** For mutual TLS. */
  readonly files: GrpcDoors['files'] | undefined;
  readonly keys: readonly string[];
  readonly scheme: number;
  readonly connections: number;
  readonly inFlight?: number;
  readonly rate?: number;
  /** How long a request may take in all. */
  readonly timeoutMs: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
}

export type GrpcNews =
  | { readonly news: 'begin' }
  | { readonly news: 'end' }
  | { readonly news: 'measured'; readonly measured: Measured };

/** The process that makes the load: one for all runs, so that its code is compiled, and its CPU time is not ours. */
export class GrpcLoad {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  /** Of the run under way. */
  #take: (told: GrpcNews) => void = () => undefined;

  constructor() {
    this.#child = fork(join(import.meta.dirname, 'grpc-load-process.ts'), { execArgv: process.execArgv });
    this.#ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.on('message', (told: GrpcNews) => this.#take(told));
  }

  /** Throws when the process has ended. */
  run(wish: GrpcWish, watch: Watch): Promise<Measured> {
    const measured = new Promise<Measured>((resolve) => {
      this.#take = (told) => {
        if (told.news === 'begin') watch.begin();
        else if (told.news === 'end') watch.end();
        else resolve(told.measured);
      };
    });
    this.#child.send(wish);
    const death = this.#ended.then((code) => {
      throw new Error(`the gRPC load ended with ${code}; its reason is above`);
    });
    return Promise.race([measured, death]);
  }

  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended;
  }
}
