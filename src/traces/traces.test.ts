import fc from 'fast-check';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { startCollector } from '../../test/fixtures/collector.js';
import type { TracedAttempt } from './traced-attempt.js';
import { Traces } from './traces.js';

const SAMPLED = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'x=1' };

t.test('sample_ratio says which requests have a span, unless their caller says it', async (t) => {
  const { traces, spans } = await start(t, { sample_ratio: 0 });
  for (let n = 0; n < 10; n++) traces.observe(attempt());
  traces.observe(attempt({ parent: SAMPLED }));
  traces.observe(attempt({ parent: { ...SAMPLED, traceparent: 'nonsense' } }));
  await traces.close();
  t.match(
    spans.map(({ name }) => name),
    ['signet.queue', 'signet.token', 'signet.sign'],
  );
  t.match(spans[2], { traceId: 'a'.repeat(32), parentSpanId: 'b'.repeat(16), traceState: 'x=1' });
});

t.test('a part of them is about that part', async (t) => {
  const { traces, spans } = await start(t, { sample_ratio: 0.25 });
  for (let n = 0; n < 400; n++) traces.observe(attempt({ submitted: false, tokenUs: 0 }));
  await traces.close();
  // Off by seven standard deviations once in 10^11 runs.
  t.ok(spans.length > 40 && spans.length < 160, `${spans.length} of 400`);
});

t.test('whatever a caller says of its trace, nothing is thrown and every request has its span', async (t) => {
  const { traces, spans } = await start(t);
  const nearlyRight = fc.stringMatching(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-01.{0,3}$/);
  const parents = fc.record({
    traceparent: fc.oneof(fc.string(), nearlyRight),
    tracestate: fc.string({ maxLength: 2_000 }),
  });
  const requests = fc.property(parents, (parent) => traces.observe(attempt({ parent, submitted: false, tokenUs: 0 })));
  fc.assert(requests, { numRuns: REQUESTS });
  await traces.close();
  t.equal(spans.length, REQUESTS);
});

const REQUESTS = 200;

t.test('spans have the time of day, also after somebody has set the clock', async (t) => {
  const { traces, spans } = await start(t);
  const { now } = Date;
  t.teardown(() => (Date.now = now));
  for (const setMs of [0, 3_600_000, -3_600_000]) {
    Date.now = () => now() + setMs;
    traces.observe(attempt({ submitted: false, tokenUs: 0 }));
    Date.now = now;
  }
  const expectedMs = now();
  await traces.close();
  const asideMs = spans.map(({ endNs }) => Number(endNs / 1_000_000n) - expectedMs);
  for (const [n, setMs] of [0, 3_600_000, -3_600_000].entries()) {
    t.ok(Math.abs((asideMs[n] ?? 0) - setMs) < 1_000, `${asideMs[n]} ms, ${setMs} ms`);
  }
});

t.test('what is unknown of a refused request is left out', async (t) => {
  const { traces, spans } = await start(t);
  const refused = { outcome: 'invalid_argument', error: 'expected an input', submitted: false, tokenUs: 0 };
  const unknown = { principal: '', use: '', scheme: '', token: '', key: '', label: '', attempt: '' };
  traces.observe(attempt({ ...unknown, ...refused }));
  await traces.close();
  t.same(spans[0]?.attributes, { 'signet.outcome': 'invalid_argument', 'error.type': 'invalid_argument' });
});

async function start(t: Test, config: { sample_ratio?: number } = {}) {
  const collector = await startCollector(t);
  const options = { otlp_url: collector.url, service_name: 'signet', sample_ratio: 1, ...config };
  const traces = new Traces(options, '1.2.3', pino({ level: 'silent' }));
  t.teardown(() => traces.close());
  return { traces, spans: collector.spans };
}

function attempt(more: Partial<TracedAttempt> = {}): TracedAttempt {
  return {
    arrivedMs: performance.now() - 1,
    parent: undefined,
    principal: 'nginx',
    use: 'tls13-server',
    scheme: 'ecdsa_secp256r1_sha256',
    outcome: 'ok',
    token: 'main',
    key: 'ab'.repeat(32),
    label: 'www',
    attempt: 'cd'.repeat(16),
    queueUs: 30,
    tokenUs: 400,
    submitted: true,
    error: '',
    ...more,
  };
}
