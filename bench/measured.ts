/** One measurement of a load: what the programs of bench/ print as a line of JSON. Latencies and CPU times in microseconds. */
export interface Measured {
  readonly count: number;
  readonly seconds: number;
  /** Signatures or handshakes. */
  readonly per_second: number;
  readonly p50_us: number;
  readonly p90_us: number;
  readonly p99_us: number;
  readonly p999_us: number;
  readonly max_us: number;
  /** CPU time of the load's own process for each. */
  readonly cpu_us: number;
  /** Latency against 1/(1-q). */
  readonly curve?: readonly (readonly [number, number])[];
  /** Those that ended otherwise than signed or refused as too much. */
  readonly failed?: number;
  readonly refused?: number;
  readonly refused_per_second?: number;
  readonly refused_p99_us?: number;
  /** How late an open loop itself began 99 of 100, which is part of their latency. */
  readonly late_p99_us?: number;
}

/** A measurement with what the processes around it used. Memory is Pss in MB of 1,000,000 bytes. */
export interface Sample extends Measured {
  /** CPU time for each signature: of the front, and of the signers together. */
  readonly front_us?: number;
  readonly signer_us?: number;
  readonly front_mb?: number;
  /** Of the largest signer. */
  readonly signer_mb?: number;
  /** Of a web server's worker for each handshake: on a CPU, waiting for a signature, and both. */
  readonly worker_us?: number;
  readonly blocked_us?: number;
  readonly busy_us?: number;
  readonly worker_mb?: number;
  /** How long plain pages of the same worker took meanwhile: the median, 99 of 100, and the slowest; and how late these 99 were begun. */
  readonly page_us?: number;
  readonly page_p99_us?: number;
  readonly page_max_us?: number;
  readonly page_late_us?: number;
}

export type Figure = Exclude<keyof Sample, 'curve'>;
