import type { Logger } from 'pino';
import { startAdminTransport } from './admin/admin-service.js';
import { ServiceAdministration } from './admin/service-administration.js';
import { AuditLog } from './audit/audit-log.js';
import { loadConfig } from './config/load.js';
import { readPin } from './config/pin.js';
import type { Config } from './config/schema.js';
import { Desk } from './desk.js';
import { DisabledKeys } from './keys/disabled-keys.js';
import { KeyRing } from './keys/key-ring.js';
import { LatchFile } from './latch/latch-file.js';
import { createLog } from './log.js';
import { Metrics } from './metrics/metrics.js';
import type { Measured } from './metrics/service-metrics.js';
import { busyPollEvents, disableCoreDumps, peerCredentials } from './native-addon.js';
import { CurrentPolicy } from './policy/current-policy.js';
import { createPolicy } from './policy/grants.js';
import { MemoryState } from './policy/memory-state.js';
import type { Pool } from './pool/pool.js';
import { createPool } from './pool/supervisor.js';
import { Reload } from './reload.js';
import { reloadableCertificates, reloadableLimits, reloadableLog, reloadablePolicy } from './reloadable-parts.js';
import { Scheduler } from './scheduler/scheduler.js';
import type { SharedState } from './shared-state.js';
import { Notifier } from './systemd/notifier.js';
import { PassedSockets } from './systemd/passed-sockets.js';
import type { Traces } from './traces/traces.js';
import { startGrpcTransport } from './transport/grpc/grpc-transport.js';
import { startSocketTransport } from './transport/socket/socket-transport.js';
import type { Transport } from './transport/transport.js';
import { VERSION } from './version.js';

/**
 * Runs the service until SIGTERM, SIGINT or an administrator's drain. Resolves when everything that it started has ended.
 * Throws SignetError if it cannot start.
 */
export async function serve(configFile: string): Promise<void> {
  disableCoreDumps();
  const config = loadConfig(configFile);
  const log = createLog(config.log.level);
  const systemd = new Notifier(process.env, log);
  const end = new AbortController();
  const onSignal = () => end.abort();
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  const reload = new Reload(configFile, config, log);
  const onHangup = () => void systemd.reloading(() => reload.run());
  process.on('SIGHUP', onHangup);
  const memory = new MemoryState(config.limits);
  const latch = new LatchFile(config.state_dir);
  const audit = config.audit && new AuditLog(auditOptions(config.audit), log, VERSION);
  const shared: SharedState = { quotas: memory, duplicates: memory, latch, audit };
  const metrics = config.metrics && new Metrics();
  const traces = config.traces && (await startTraces(config.traces, log));
  busyPollEvents(Math.max(...config.tokens.map((token) => token.busy_poll_us)));
  const pool = createPool(config.tokens, log, readPin, shared.latch);
  const transports: Transport[] = [];
  try {
    const stations = joinStations(config, log, pool, shared, { metrics, traces });
    reload.add(reloadablePolicy(stations.current, stations.policyParts));
    reload.add(reloadableLimits(config.limits), reloadableLog(log));
    await keysKnown(pool);
    transports.push(...(await openDoors(config, log, stations, end, reload)));
    if (config.metrics) await metrics?.listen(config.metrics, measuredOf(stations, transports, audit), log);
    const addresses = [...transports, metrics].flatMap((door) => door?.addresses ?? []);
    log.info({ addresses, version: VERSION }, 'serving');
    systemd.ready(() => stations.scheduler.overdueMs < OVERDUE_MS);
    await aborted(end.signal);
    systemd.stopping();
    log.info({ unfinished: stations.scheduler.unfinished }, 'draining');
    await Promise.all(transports.map((transport) => transport.drain(config.limits.drain_timeout_ms)));
    stations.scheduler.stop();
  } finally {
    for (const transport of transports) transport.close();
    metrics?.close();
    await pool.close(SIGNER_END_MS);
    await audit?.close();
    await traces?.close();
    systemd.close();
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal).off('SIGHUP', onHangup);
    log.info('ended');
  }
}

/** A request that is unanswered so long after its deadline tells that the front has lost its way. In milliseconds. */
const OVERDUE_MS = 5_000;

/** How long the signers have to end when nothing is in flight any more, in milliseconds. */
const SIGNER_END_MS = 400;

/**
 * How long the service waits for its tokens before it takes requests all the same, in milliseconds: callers then read `unavailable`
 * and can go to another service, which they could not tell from a socket that is not there.
 */
const KEYS_KNOWN_MS = 5_000;

type Stations = ReturnType<typeof joinStations>;

/** Who is told of every request when it has ended. */
interface Watchers {
  readonly metrics: Metrics | undefined;
  readonly traces: Traces | undefined;
}

/** Without traces nothing of OpenTelemetry is loaded. */
async function startTraces(config: NonNullable<Config['traces']>, log: Logger): Promise<Traces> {
  const { Traces } = await import('./traces/traces.js');
  return new Traces(config, VERSION, log);
}

function joinStations(config: Config, log: Logger, pool: Pool, shared: SharedState, { metrics, traces }: Watchers) {
  const keys = new KeyRing(config.catalogue_file, new DisabledKeys(config.state_dir), log);
  pool.onKeys = (found) => keys.replace(found);
  const scheduler = new Scheduler(pool, config.limits.queue_jobs_max);
  const policyParts = {
    shared,
    tally: { duplicates: 0, duplicateRefusals: 0, quotaRefusals: 0 },
    nowMs: Date.now,
  };
  const current = new CurrentPolicy(createPolicy(config, policyParts));
  const desk = new Desk({
    current,
    keys,
    scheduler,
    audit: shared.audit,
    observe: metrics && ((attempt) => metrics.observe(attempt)),
    trace: traces && ((attempt) => traces.observe(attempt)),
    log,
    allKeysKnown: () => pool.allKeysKnown(),
    limits: config.limits,
  });
  return { keys, pool, scheduler, desk, current, policyParts };
}

async function openDoors(
  config: Config,
  log: Logger,
  stations: Stations,
  end: AbortController,
  reload: Reload,
): Promise<Transport[]> {
  const { desk, pool } = stations;
  const { limits } = config;
  const common = { limits, log, signing: desk, peerCredentials };
  const passed = new PassedSockets(process.env);
  const { sockets, grpc: grpcDoors, admin } = passed.place(config);
  for (const socket of passed.notTaken()) log.warn({ socket }, 'a passed socket has no place in the configuration');
  const administration = new ServiceAdministration({
    ...stations,
    tally: desk.tally,
    version: VERSION,
    isDraining: () => end.signal.aborted,
    reload: () => reload.run(),
    drain: () => end.abort(),
  });
  const traced = config.traces !== undefined;
  const grpc = startGrpcTransport({ ...common, ...grpcDoors, traced, health: healthOf(pool) });
  const doors = [
    startSocketTransport({ ...common, sockets }),
    grpc,
    startAdminTransport({ admin, administration, limits, log, peerCredentials }),
  ];
  const open = await allOrNone(doors);
  reload.add(reloadableCertificates(await grpc));
  return open;
}

/** If one door does not open, those that did are closed again. */
async function allOrNone(doors: readonly Promise<Transport>[]): Promise<Transport[]> {
  const settled = await Promise.allSettled(doors);
  const open = settled.flatMap((door) => (door.status === 'fulfilled' ? [door.value] : []));
  const failed = settled.find((door) => door.status === 'rejected');
  if (!failed) return open;
  for (const door of open) door.close();
  throw failed.reason;
}

function healthOf(pool: Pool) {
  return {
    serving: () => pool.signers().some((signer) => signer.state === 'ready'),
    onChange: (listener: () => void) => {
      pool.onSigners = listener;
    },
  };
}

/** Resolves when every token has told its keys, or when the time is over. */
function keysKnown(pool: Pool): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, KEYS_KNOWN_MS);
    pool.onSigners = () => {
      if (!pool.allKeysKnown()) return;
      clearTimeout(timer);
      resolve();
    };
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function measuredOf(
  { keys, pool, scheduler, policyParts }: Stations,
  transports: readonly Transport[],
  audit: AuditLog | undefined,
): Measured {
  return {
    version: VERSION,
    queued: () => scheduler.queued,
    unfinished: () => scheduler.unfinished,
    connections: () => transports.map(({ name, connections }) => ({ transport: name, count: connections })),
    signers: () => pool.signers(),
    tokens: () => pool.tokens(),
    keys: () =>
      keys.all().map(({ label, key, certificateChain }) => ({
        label,
        spkiSha256: key.spkiSha256,
        disabled: keys.isDisabled(key.spkiSha256),
        certificate: certificateChain[0],
      })),
    auditLost: () => audit?.lost ?? 0,
    policy: () => policyParts.tally,
  };
}

function auditOptions(audit: NonNullable<Config['audit']>) {
  return {
    file: audit.file,
    onFailure: audit.on_failure,
    fsyncMs: audit.fsync_ms,
    rotateBytes: audit.rotate_bytes,
    keepFiles: audit.keep_files,
    publishHeadMs: audit.publish_head_ms,
  };
}
