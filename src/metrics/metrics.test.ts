import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { TestAuthority } from '../../test/fixtures/certificates.js';
import { until } from '../../test/fixtures/until.js';
import type { FinishedAttempt } from './attempt-metrics.js';
import { BUCKETS_US, METRICS, SERIES_MAX } from './metric-names.js';
import { Metrics } from './metrics.js';
import type { Measured } from './service-metrics.js';

const log = pino({ level: 'silent' });

const ATTEMPT: FinishedAttempt = {
  principal: 'nginx',
  use: 'tls13-server',
  scheme: 'ed25519',
  outcome: 'ok',
  token: 'main',
  submitted: true,
  queueUs: 150,
  tokenUs: 1_500,
};

const MEASURED: Measured = {
  version: '1.2.3',
  queued: () => 3,
  unfinished: () => 5,
  connections: () => [{ transport: 'socket', count: 2 }],
  signers: () => [
    { token: 'main', state: 'ready', restarts: 1, recoveries: 2 },
    { token: 'main', state: 'dead', restarts: 4, recoveries: 1 },
  ],
  tokens: () => [{ name: 'main', state: 'latched', breakerOpenings: 6 }],
  keys: () => [{ label: 'a "label"', spkiSha256: 'ab'.repeat(32), disabled: true, certificate: undefined }],
  auditLost: () => 7,
  policy: () => ({ duplicates: 5, duplicateRefusals: 2, quotaRefusals: 4 }),
};

t.test('docs/metrics.md lists every metric with its type and labels, and no other', async (t) => {
  const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\w+) \| (.*?) ?\| (.+) \|$/gm)].map(
    ([, name, type, labels, help]) => ({
      name,
      type,
      labels: [...(labels ?? '').matchAll(/`(\w+)`/g)].map(([, label]) => label),
      help,
    }),
  );
  t.same(rows, Object.values(METRICS));
});

t.test('names follow the rules of Prometheus', async (t) => {
  for (const { name, type } of Object.values(METRICS)) {
    t.match(name, /^(signet|process)_[a-z_]+$/);
    t.equal(type === 'counter', name.endsWith('_total'), name);
    if (type === 'histogram') t.match(name, /_seconds$/);
    t.notMatch(name, /_(ms|us|kb|mb)(_|$)/);
  }
  t.equal(BUCKETS_US[0], 100);
});

t.test('a scrape has every metric, and each request counted once', async (t) => {
  const { metrics, scrape } = await started(t);
  metrics.observe(ATTEMPT);
  metrics.observe(ATTEMPT);
  metrics.observe({ ...ATTEMPT, principal: '', use: '', outcome: 'permission_denied', submitted: false, tokenUs: 0 });
  const text = await scrape();
  for (const { name, type } of Object.values(METRICS)) t.match(text, `# TYPE ${name} ${type}\n`);
  for (const line of [
    'signet_sign_requests_total{principal="nginx",use="tls13-server",scheme="ed25519",outcome="ok"} 2',
    'signet_sign_requests_total{principal="_none",use="_none",scheme="ed25519",outcome="permission_denied"} 1',
    'signet_queue_seconds_bucket{scheme="ed25519",le="0.0001"} 0',
    'signet_queue_seconds_bucket{scheme="ed25519",le="0.0002"} 2',
    'signet_token_seconds_bucket{token="main",scheme="ed25519",le="+Inf"} 2',
    'signet_token_seconds_sum{token="main",scheme="ed25519"} 0.003',
    'signet_token_seconds_count{token="main",scheme="ed25519"} 2',
    'signet_queued_requests 3',
    'signet_in_flight_requests 5',
    'signet_connections{transport="socket"} 2',
    'signet_signers{token="main",state="ready"} 1',
    'signet_signers{token="main",state="starting"} 0',
    'signet_signer_restarts_total{token="main"} 5',
    'signet_signer_recoveries_total{token="main"} 3',
    'signet_token_breaker_openings_total{token="main"} 6',
    'signet_token_state{token="main",state="latched"} 1',
    'signet_token_state{token="main",state="serving"} 0',
    'signet_keys{state="disabled"} 1',
    'signet_audit_lines_lost_total 7',
    'signet_duplicate_requests_total{answer="allowed"} 3',
    'signet_duplicate_requests_total{answer="refused"} 2',
    'signet_quota_refusals_total 4',
    `signet_build_info{version="1.2.3",node="${process.versions.node}"} 1`,
  ]) {
    t.ok(text.split('\n').includes(line), line);
  }
  t.equal(text.match(/^signet_sign_requests_total\{/gm)?.length, 2);
});

t.test('a second scrape says the same, for what is asked at a scrape is not added up', async (t) => {
  const { metrics, scrape } = await started(t);
  metrics.observe(ATTEMPT);
  const stable = (text: string) => text.split('\n').filter((line) => /^signet_(?!event_loop)/.test(line));
  t.same(stable(await scrape()), stable(await scrape()));
});

t.test('the expiry of certificates is told, the next ones first, up to a number of them', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'signet-metrics-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const { caFile } = await TestAuthority.create(folder, 'ca');
  const certificate = new X509Certificate(readFileSync(caFile)).raw;
  const keys = Array.from({ length: 1_001 }, (_, i) => ({
    label: `k${i}`,
    spkiSha256: String(i).padStart(64, '0'),
    disabled: false,
    certificate,
  }));
  const broken = { label: 'broken', spkiSha256: 'f'.repeat(64), disabled: false, certificate: Buffer.from('no') };
  const { scrape } = await started(t, { keys: () => [broken, ...keys] });
  const series = (await scrape()).match(/^signet_certificate_not_after_timestamp_seconds\{.*$/gm) ?? [];
  t.equal(series.length, 1_000);
  t.ok(Number(series[0]?.split(' ').at(-1)) > Date.now() / 1000);
});

t.test('after too many series new ones count as other, those of the rest go on', async (t) => {
  const { metrics, scrape } = await started(t);
  for (let i = 0; i < SERIES_MAX + 500; i++) metrics.observe({ ...ATTEMPT, principal: `p${i}` });
  metrics.observe({ ...ATTEMPT, principal: 'p0' });
  const series = (await scrape()).match(/^signet_sign_requests_total\{.*$/gm) ?? [];
  t.equal(series.length, SERIES_MAX + 1);
  t.match(series[0], /principal="p0".* 2$/);
  t.match(series.at(-1), /principal="_other".* 500$/);
});

t.test('to observe a request costs a few microseconds at most', async (t) => {
  const { metrics } = await started(t);
  const attempts = Array.from({ length: 64 }, (_, i) => ({ ...ATTEMPT, principal: `p${i % 8}`, queueUs: i * 37 }));
  const rounds = 2_000;
  const runs = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    for (let round = 0; round < rounds; round++) for (const attempt of attempts) metrics.observe({ ...attempt });
    // Of the processor's time, of which others may have taken as much as they like.
    const { user, system } = process.cpuUsage(before);
    return (user + system) / (rounds * attempts.length);
  });
  const best = Math.min(...runs);
  t.comment(`${best.toFixed(3)} µs`);
  // About 0.7 on a quiet machine; a look-up by joined labels for each request would be far beyond this.
  t.ok(best < 5);
});

t.test('only the metrics are there', async (t) => {
  const { address } = await started(t);
  t.equal((await fetch(new URL('/', address))).status, 404);
  t.equal((await fetch(address, { method: 'POST' })).status, 405);
  const response = await fetch(address);
  t.match(response.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
});

t.test('a port that the service before still has is taken over when it is free', async (t) => {
  const before = createServer().listen(0, '127.0.0.1');
  await once(before, 'listening');
  const { port } = before.address() as AddressInfo;
  const { address } = await started(t, {}, port);
  before.close();
  await until(async () => (await fetch(address).catch(() => undefined))?.status === 200);
  t.pass();
});

t.test('an address that cannot be listened on is told with what to do', async (t) => {
  const metrics = new Metrics();
  t.teardown(() => metrics.close());
  await t.rejects(metrics.listen({ host: '127.1.2.300', port: 0 }, MEASURED, log), {
    code: 'invalid_argument',
    message: /expected metrics\.host/,
  });
});

async function started(t: Test, changes: Partial<Measured> = {}, port = 0) {
  const metrics = new Metrics();
  t.teardown(() => metrics.close());
  await metrics.listen({ host: '127.0.0.1', port }, { ...MEASURED, ...changes }, log);
  const address = metrics.addresses[0] as string;
  const scrape = async () => (await fetch(address)).text();
  return { metrics, address, scrape };
}
