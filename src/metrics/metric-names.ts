/**
 * Every metric of the service: its name by Prometheus' rules, its labels, what it tells. docs/metrics.md has the same table, and a
 * test compares them. Base units (seconds, bytes); what only grows ends in _total.
 */
export const METRICS = {
  requests: counter('signet_sign_requests_total', 'Requests answered.', ['principal', 'use', 'scheme', 'outcome']),
  duplicates: counter('signet_duplicate_requests_total', 'Messages asked for again under another attempt id.', [
    'answer',
  ]),
  quotaRefusals: counter(
    'signet_quota_refusals_total',
    'Times that the rate limit of a grant did not let a request pass.',
    [],
  ),
  queueSeconds: histogram('signet_queue_seconds', 'How long requests waited for a session of a token.', ['scheme']),
  tokenSeconds: histogram('signet_token_seconds', 'How long the token worked on them.', ['token', 'scheme']),
  queued: gauge('signet_queued_requests', 'Requests that wait for a session now.', []),
  inFlight: gauge('signet_in_flight_requests', 'Requests that have no answer yet, the queued ones included.', []),
  connections: gauge('signet_connections', 'Open connections.', ['transport']),
  signers: gauge('signet_signers', 'Signer processes, by what they do.', ['token', 'state']),
  signerRestarts: counter('signet_signer_restarts_total', 'Signers replaced because they had ended.', ['token']),
  signerRecoveries: counter('signet_signer_recoveries_total', 'Times that a signer was ready again by itself.', [
    'token',
  ]),
  tokens: gauge('signet_token_state', '1 for the state in which a token is, 0 for the others.', ['token', 'state']),
  breakerOpenings: counter('signet_token_breaker_openings_total', 'Times that the breaker of a token has opened.', [
    'token',
  ]),
  keys: gauge('signet_keys', 'Keys that the tokens hold.', ['state']),
  certificateNotAfter: gauge(
    'signet_certificate_not_after_timestamp_seconds',
    'When the certificate of a key expires, in seconds since 1970.',
    ['key', 'spki_sha256'],
  ),
  auditLost: counter('signet_audit_lines_lost_total', 'Audit lines that could not be written.', []),
  loopLag: histogram('signet_event_loop_lag_seconds', 'How late the event loop ran a timer; sampled.', []),
  buildInfo: gauge('signet_build_info', 'Always 1; the versions are its labels.', ['version', 'node']),
  cpu: counter('process_cpu_seconds_total', 'User and system CPU time of the front.', []),
  startTime: gauge('process_start_time_seconds', 'When the front started, in seconds since 1970.', []),
  residentMemory: gauge('process_resident_memory_bytes', 'Resident memory of the front.', []),
  heap: gauge('process_heap_bytes', 'Heap of JavaScript in use.', []),
  openFds: gauge('process_open_fds', 'Open file descriptors of the front.', []),
  maxFds: gauge('process_max_fds', 'How many descriptors the front may open.', []),
} as const satisfies Readonly<Record<string, MetricName>>;

export interface MetricName {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

/** Upper bounds of every histogram, in microseconds: from a software token's 100 µs to the longest deadlines. */
export const BUCKETS_US: readonly number[] = [
  100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000,
  5_000_000, 10_000_000,
];

/** What a label says where there is no value, as of a caller that no principal matches; no name of the configuration begins with "_". */
export const NONE = '_none';
/** The principal of what came when there were too many series already. */
export const OTHER = '_other';

/** Series of one metric, before new principals are counted as OTHER. Uses, schemes and outcomes are few by themselves. */
export const SERIES_MAX = 2_000;
/** Certificates that have a series: those that expire first. */
export const CERTIFICATES_MAX = 1_000;

function counter(name: string, help: string, labels: readonly string[]): MetricName {
  return { name, type: 'counter', help, labels };
}

function gauge(name: string, help: string, labels: readonly string[]): MetricName {
  return { name, type: 'gauge', help, labels };
}

function histogram(name: string, help: string, labels: readonly string[]): MetricName {
  return { name, type: 'histogram', help, labels };
}
