import type { Logger } from 'pino';
import type { Limits, RoleSocketConfig, TcpConfig } from '../../config/schema.js';
import { HealthService as HealthDefinition } from '../../gen/grpc/health/v1/health.js';
import { KeyServiceService } from '../../gen/signet/v1/key_service.js';
import { SigningServiceService } from '../../gen/signet/v1/signing_service.js';
import type { Signing } from '../../signing.js';
import { ByteBudget } from '../byte-budget.js';
import { GO_AWAY_CROSSING_MS } from '../conversation.js';
import type { PeerCredentials } from '../peer.js';
import type { Transport } from '../transport.js';
import { callerOf } from './api-key-peer.js';
import { type Call, GrpcServer } from './grpc-server.js';
import { type Health, HealthService } from './health-service.js';
import { keyService } from './key-service.js';
import { addReflection, DESCRIPTOR_FILE } from './reflection.js';
import { type SigningPeer, signingService } from './signing-service.js';
import type { StreamConnection } from './stream-connection.js';

export interface GrpcTransportOptions {
  readonly unix: readonly RoleSocketConfig[];
  readonly tcp: readonly TcpConfig[];
  readonly limits: Limits;
  readonly signing: Signing;
  readonly health: Health;
  readonly log: Logger;
  readonly peerCredentials: PeerCredentials;
  /** Whether requests are traced, so that callers are asked for the span that theirs belong to. Default: no. */
  readonly traced?: boolean;
  /** Where the descriptor set for reflection lies, if not in dist/. */
  readonly descriptorFile?: string;
}

/** A running gRPC transport, which can be given other certificates. */
export interface GrpcTransport extends Transport {
  /** Reads the TLS files of the nth TCP listener; what it returns puts them into force for new connections. Throws TlsFileError. */
  prepareTls(nth: number, config: TcpConfig): () => void;
}

const SERVICES = ['signet.v1.SigningService', 'signet.v1.KeyService'];
/** How often the streams' time limits are looked at. */
const SWEEP_MS_MAX = 1_000;
/** … and at least this often in the shortest of them. */
const SWEEPS_PER_LIMIT = 4;
/** The same while a drain waits for them. */
const DRAIN_SWEEP_MS = GO_AWAY_CROSSING_MS / 4;

/** Listens on Unix sockets and on TCP with mutual TLS and serves gRPC: signing, keys, health, reflection. */
export async function startGrpcTransport(options: GrpcTransportOptions): Promise<GrpcTransport> {
  const { limits, signing, traced = false } = options;
  const log = options.log.child({ part: 'grpc' });
  const grpc = new GrpcServer<SigningPeer>(limits, log, (caller, cut) => ({
    client: signing.identify(caller),
    load: { inFlight: 0 },
    cut,
  }));
  const streams = new Set<StreamConnection>();
  const health = new HealthService(options.health, SERVICES);
  const budget = new ByteBudget(limits.buffered_bytes_max);
  const peerOf = (call: Call) => callerOf(grpc.peerOf(call), call.metadata, signing);
  const share = { signing, limits, budget, streams, traced, peerOf };
  grpc.server.addService(SigningServiceService, signingService(share));
  grpc.server.addService(
    KeyServiceService,
    keyService((call) => signing.keysOf(peerOf(call).client), budget),
  );
  grpc.server.addService(HealthDefinition, health.implementation);
  addReflection(grpc.server, options.descriptorFile ?? DESCRIPTOR_FILE, log);
  await listen(grpc, options);
  return runningTransport(grpc, streams, health, Math.min(SWEEP_MS_MAX, limits.frame_timeout_ms / SWEEPS_PER_LIMIT));
}

async function listen(grpc: GrpcServer<SigningPeer>, options: GrpcTransportOptions): Promise<void> {
  try {
    for (const socket of options.unix) await grpc.listenUnix(socket, options.peerCredentials);
    for (const tcp of options.tcp) await grpc.listenTls(tcp);
  } catch (thrown) {
    grpc.close();
    throw thrown;
  }
}

function runningTransport(
  grpc: GrpcServer<SigningPeer>,
  streams: Set<StreamConnection>,
  health: HealthService,
  sweepMs: number,
): GrpcTransport {
  let sweeper = sweepEvery(sweepMs, streams);
  return {
    name: 'grpc',
    addresses: grpc.addresses,
    get connections() {
      return grpc.connections;
    },
    prepareTls: (nth, config) => grpc.prepareTls(nth, config),
    drain: async (timeoutMs) => {
      grpc.stopListening();
      health.drain();
      for (const stream of streams) stream.leave();
      clearInterval(sweeper);
      sweeper = sweepEvery(DRAIN_SWEEP_MS, streams);
      await grpc.drain(timeoutMs);
      clearInterval(sweeper);
    },
    close: () => {
      clearInterval(sweeper);
      grpc.close();
    },
  };
}

function sweepEvery(intervalMs: number, streams: Set<StreamConnection>): NodeJS.Timeout {
  return setInterval(() => {
    const nowMs = performance.now();
    for (const stream of streams) stream.sweep(nowMs);
  }, intervalMs).unref();
}
