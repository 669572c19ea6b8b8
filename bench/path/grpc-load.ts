import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
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

  constructor() {
    this.#child = fork(join(import.meta.dirname, 'grpc-load-process.ts'), { execArgv: process.execArgv });
  }

  /** Throws when a call fails otherwise than refused as too much. */
  async run(wish: GrpcWish, watch: Watch): Promise<Measured> {
    this.#child.send(wish);
    for (;;) {
      const [told] = (await Promise.race([once(this.#child, 'message'), this.#death()])) as [GrpcNews];
      if (told.news === 'begin') watch.begin();
      else if (told.news === 'end') watch.end();
      else return told.measured;
    }
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.disconnect();
    await once(this.#child, 'close');
  }

  async #death(): Promise<never> {
    const [code] = await once(this.#child, 'exit');
    throw new Error(`the gRPC load ended with ${code}; its reason is above`);
  }
}
