import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Metadata } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import type { Key } from '../src/gen/signet/v1/keys.js';
import type { SignRequest, SignResponse, SignStreamResponse } from '../src/gen/signet/v1/sign.js';
import { SigningServiceClient } from '../src/gen/signet/v1/signing_service.js';
import { listKeys } from './fixtures/carriers.js';
import { type CollectedSpan, type Collector, startCollector } from './fixtures/collector.js';
import { grpcClient, unary } from './fixtures/grpc-client.js';
import { watchLateness } from './fixtures/lateness.js';
import { type RunningService, startService } from './fixtures/running-service.js';
import { SocketClient, signRequest } from './fixtures/socket-client.js';
import { createToken } from './fixtures/softhsm-token.js';
import { until } from './fixtures/until.js';
import { tls13 } from './tls-messages.js';

/** As in OTLP: SPAN_KIND_SERVER, STATUS_CODE_UNSET, STATUS_CODE_ERROR. */
const SERVER = 2;
const UNSET = 0;
const ERROR = 2;

const PAGE = readFileSync(fileURLToPath(new URL('../docs/traces.md', import.meta.url)), 'utf8');

const token = createToken({ keys: [{ label: 'www', type: 'p256' }] });
t.teardown(() => token.remove());

const messages = Array.from({ length: 7 }, () => tls13('server'));
const begunNs = nowNs();
/** What came of the first test. */
let key: Key;
let answer: SignResponse;
let streamSignatures: Buffer[];
let collector: Collector;

t.test(
  'requests 0 to 4 over gRPC, 3 and 4 in a stream, 5 and 6 over a socket, 6 for a key that nobody has',
  async (t) => {
    collector = await startCollector(t);
    const loaded = loadedModules(t);
    const traces = { otlp_url: collector.url, service_name: 'signet-test' };
    const service = await startService(t, token, { more: { traces }, environment: loaded.environment });
    [key] = (await listKeys(t, service.grpcAddress)) as [Key];
    const requests = messages.map((value, n) => requestOf(key, value, n));

    const client = grpcClient(t, SigningServiceClient, service.grpcAddress);
    const sign = (n: number, parent?: string) =>
      unary<SignResponse>((_, ...call) => client.sign(requests[n] as SignRequest, metadataOf(parent), ...call));
    answer = await sign(0, traceparent(1));
    await sign(1);
    await sign(2, traceparent(2, '00'));
    streamSignatures = await streamed(client, requests.slice(3, 5), metadataOf(traceparent(3)));
    const socket = await SocketClient.hello(service.webSocket);
    t.teardown(() => socket.close());
    socket.sign(2, requests[5]);
    socket.sign(3, { ...requests[6], spkiSha256: Buffer.alloc(32, 7) });
    t.equal((await socket.answer(2)).body?.$case, 'sign');
    t.equal((await socket.answer(3)).body?.$case, 'error');

    await refusesToChange(t, service);
    service.kill('SIGTERM');
    t.equal(await service.exit(), 0);
    t.ok((await loaded.of(service)).some((file) => file.includes('/@opentelemetry/sdk-trace/')));
  },
);

t.test('every signature has a span, with what the audit knows', async (t) => {
  const signed = {
    'signet.outcome': 'ok',
    'signet.principal': 'local',
    'signet.key.label': 'www',
    'signet.key.spki_sha256': key.spkiSha256.toString('hex'),
    'signet.use': 'tls13-server',
    'signet.scheme': 'ecdsa_secp256r1_sha256',
    'signet.token': 'test',
  };
  for (const n of [0, 1, 3, 4]) t.match(spanOf(n), { name: 'signet.sign', kind: SERVER, attributes: signed });
  t.match(spanOf(5)?.attributes, { ...signed, 'signet.principal': 'web' });
  t.match(spanOf(0), { status: { code: UNSET }, resource: { 'service.name': 'signet-test' } });
  t.equal(collector.spans.filter(({ name }) => name === 'signet.sign').length, 6);
});

t.test('the parent of a span is what a unary call or a stream tells; else it begins a trace', async (t) => {
  t.match(spanOf(0), { traceId: traceId(1), parentSpanId: spanId(1) });
  for (const n of [3, 4]) t.match(spanOf(n), { traceId: traceId(3), parentSpanId: spanId(3) });
  for (const n of [1, 5, 6]) t.notOk(spanOf(n)?.parentSpanId);
  t.equal(new Set([0, 1, 3, 5, 6].map((n) => spanOf(n)?.traceId)).size, 5);
  t.equal(spanOf(2), undefined, 'whose trace is not sampled gets no span');
  t.equal(streamSignatures.length, 2);
});

t.test('the parts of a span are the time in the queue and in the token', async (t) => {
  const span = spanOf(0) as CollectedSpan;
  const parts = partsOf(span).sort((a, b) => a.name.localeCompare(b.name)) as [CollectedSpan, CollectedSpan];
  t.match(parts, [{ name: 'signet.queue', traceId: traceId(1) }, { name: 'signet.token' }]);
  t.equal(parts.length, 2);
  t.ok(isNear(durationUs(parts[0]), answer.queueUs), `queue: ${durationUs(parts[0])}, ${answer.queueUs} µs`);
  t.ok(isNear(durationUs(parts[1]), answer.tokenUs), `token: ${durationUs(parts[1])}, ${answer.tokenUs} µs`);
  for (const part of parts) t.ok(part.startNs >= span.startNs && part.endNs <= span.endNs, `${part.name} within`);
  t.ok(begunNs < span.startNs && span.startNs < span.endNs && span.endNs < nowNs(), 'by the clock of the day');
});

t.test('the span of what was refused is an error, and does not tell whose key it is not', async (t) => {
  const span = spanOf(6);
  t.match(span, { status: { code: ERROR, message: /^no key of this SPKI SHA-256/ } });
  t.match(span?.attributes, { 'signet.outcome': 'permission_denied', 'error.type': 'permission_denied' });
  t.notOk('signet.key.label' in (span?.attributes ?? {}));
  t.same(partsOf(span), []);
});

t.test('nothing that was signed, no hash and no signature is in them', async (t) => {
  const said = collector.bodies.join('\n').toLowerCase();
  const hashes = messages.map((message) => createHash('sha256').update(message).digest());
  for (const bytes of [...messages, ...hashes, answer.signature, ...streamSignatures]) {
    for (const text of [bytes.toString('hex'), bytes.toString('base64').toLowerCase()]) t.notOk(said.includes(text));
  }
});

t.test('docs/traces.md explains all that stands in them', async (t) => {
  for (const { name, attributes, resource } of collector.spans) {
    for (const word of [name, ...Object.keys(attributes), ...Object.keys(resource)]) t.match(PAGE, `\`${word}\``);
  }
});

t.test('without traces nothing of OpenTelemetry is loaded but the API that the metrics bring', async (t) => {
  const loaded = loadedModules(t);
  const service = await startService(t, token, { environment: loaded.environment });
  service.kill('SIGTERM');
  t.equal(await service.exit(), 0);
  const files = (await loaded.of(service)).filter((file) => file.includes('/@opentelemetry/'));
  t.same(
    files.filter((file) => !file.includes('/@opentelemetry/api/')),
    [],
  );
});

t.test('a collector that hangs, refuses or is not there costs no signature and no end', async (t) => {
  const busy = watchLateness(t);
  const hanging = await startCollector(t);
  hanging.answer = () => {};
  const refusing = await startCollector(t);
  refusing.answer = (response) => void response.writeHead(400).end();
  const gone = await startCollector(t);
  gone.close();
  await Promise.all(
    Object.entries({ hanging, refusing, gone }).map(async ([what, collector]) => {
      const service = await startService(t, token, { more: { traces: { otlp_url: collector.url } } });
      const [key] = (await listKeys(t, service.grpcAddress)) as [Key];
      const worstMs = await signMany(t, service, key, collector === hanging ? TOO_MANY : ENOUGH);
      t.ok(worstMs < SLOW_MS + busy.ofRequestMs, `${what}: ${Math.round(worstMs)} ms`);
      const failure = await service.logged('spans cannot be sent; they are lost until the collector takes them');
      t.match(failure, { level: 'warn', part: 'traces', err: { message: String } });
      if (collector === refusing) await takenAgain(t, service, collector, key);
      const begunMs = performance.now();
      service.kill('SIGTERM');
      t.equal(await service.exit(), 0);
      const endMs = performance.now() - begunMs;
      t.ok(endMs < END_MS, `${what}: ended in ${Math.round(endMs)} ms`);
    }),
  );
  t.ok(hanging.spans.length > 0);
});

function spanOf(n: number): CollectedSpan | undefined {
  const id = attemptId(n).toString('hex');
  return collector.spans.find(({ attributes }) => attributes['signet.attempt_id'] === id);
}

function partsOf(span: CollectedSpan | undefined): CollectedSpan[] {
  return collector.spans.filter(({ parentSpanId }) => parentSpanId === span?.spanId);
}

/** The collector gets well: what is signed from then on comes. */
async function takenAgain(t: Test, service: RunningService, collector: Collector, key: Key): Promise<void> {
  collector.answer = (response) => void response.end('{}');
  const socket = await SocketClient.hello(service.webSocket);
  t.teardown(() => socket.close());
  socket.sign(2, requestOf(key, tls13('server'), LAST));
  await service.logged('the collector takes spans again');
  const id = attemptId(LAST).toString('hex');
  await until(() => collector.spans.some(({ attributes }) => attributes['signet.attempt_id'] === id));
}

/** The attempt id of no other request. */
const LAST = 254;

/** In ms: the longest that one took. */
async function signMany(t: Test, service: RunningService, key: Key, count: number): Promise<number> {
  const socket = await SocketClient.hello(service.webSocket);
  t.teardown(() => socket.close());
  let worstMs = 0;
  for (let id = 2; id < count; id += AT_ONCE) {
    const begunMs = performance.now();
    const ids = Array.from({ length: AT_ONCE }, (_, n) => id + n);
    for (const each of ids) socket.sign(each, requestOf(key, tls13('server'), each % LAST));
    const answers = await Promise.all(ids.map((each) => socket.answer(each)));
    socket.frames.length = 0;
    if (!answers.every(({ body }) => body?.$case === 'sign')) t.fail(JSON.stringify(answers));
    worstMs = Math.max(worstMs, performance.now() - begunMs);
  }
  return worstMs;
}

const AT_ONCE = 50;
/** Of three spans each: 256 are sent at once, and 2048 may wait, so that spans are dropped. */
const ENOUGH = 100;
const TOO_MANY = 800;
/** Less than what is waited for a collector, which is 2 s; what this process was late itself is added. */
const SLOW_MS = 1_500;
/** 1 s for the last spans, and what a try that was begun may last; the rest is the machine's. */
const END_MS = 6_000;

async function refusesToChange(t: Test, service: RunningService): Promise<void> {
  const before = readFileSync(service.configFile, 'utf8');
  const config = JSON.parse(before);
  config.traces.sample_ratio = 0.5;
  writeFileSync(service.configFile, JSON.stringify(config));
  service.kill('SIGHUP');
  const { problems } = await service.logged('reload refused; the old configuration holds');
  t.match(problems, [/traces.sample_ratio: cannot change while the service runs; restart it for that/]);
  writeFileSync(service.configFile, before);
}

/** Has node tell at the end of a process which CommonJS files it has loaded; all of OpenTelemetry's are. */
function loadedModules(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'signet-loaded-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const preload = join(folder, 'preload.cjs');
  writeFileSync(
    preload,
    `process.on('exit', () => require('node:fs').writeFileSync(
      ${JSON.stringify(folder)} + '/' + process.pid + '.json', JSON.stringify(Object.keys(require.cache))));`,
  );
  return {
    environment: { NODE_OPTIONS: `--require=${preload}` },
    of: async ({ pid }: RunningService): Promise<string[]> => {
      await until(() => readdirSync(folder).includes(`${pid}.json`));
      return JSON.parse(readFileSync(join(folder, `${pid}.json`), 'utf8'));
    },
  };
}

/** Signs over one stream; the signatures. */
async function streamed(client: SigningServiceClient, requests: SignRequest[], metadata: Metadata): Promise<Buffer[]> {
  const stream = client.signStream(metadata);
  const answers: SignStreamResponse[] = [];
  stream.on('data', (answer) => answers.push(answer)).on('error', () => undefined);
  for (const [n, value] of requests.entries()) stream.write({ id: n + 1, body: { $case: 'sign', value } });
  await until(() => answers.length === requests.length);
  stream.end();
  return answers.flatMap(({ body }) => (body?.$case === 'sign' ? [body.value.signature] : []));
}

function requestOf(key: Key, message: Buffer, n: number): SignRequest {
  return {
    ...signRequest(),
    spkiSha256: key.spkiSha256,
    input: { $case: 'message', value: message },
    timeoutUs: 0,
    attemptId: attemptId(n),
  };
}

function attemptId(n: number): Buffer {
  return Buffer.alloc(16, n + 1);
}

function traceId(n: number): string {
  return `${n}`.repeat(32);
}

function spanId(n: number): string {
  return `${n}`.repeat(16);
}

function traceparent(n: number, flags = '01'): string {
  return `00-${traceId(n)}-${spanId(n)}-${flags}`;
}

function metadataOf(parent: string | undefined): Metadata {
  const metadata = new Metadata();
  if (parent !== undefined) metadata.set('traceparent', parent);
  return metadata;
}

function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

function durationUs({ startNs, endNs }: CollectedSpan): number {
  return Number(endNs - startNs) / 1_000;
}

/** Times since 1970 in milliseconds are exact to a quarter of a microsecond. */
function isNear(aUs: number, bUs: number): boolean {
  return Math.abs(aUs - bUs) <= 1;
}
