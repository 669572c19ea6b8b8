import t, { type Test } from 'tap';
import { FAILURES_IN_A_ROW, FAILURES_IN_WINDOW } from '../src/pool/breaker.js';
import { PROBE_MS } from '../src/pool/recovery.js';
import { signet } from './fixtures/command-line.js';
import { createFaultyToken, type FaultyToken, type SpiedCall } from './fixtures/faulty-token.js';
import { watchLateness } from './fixtures/lateness.js';
import { type RecordedLoad, recordLoad } from './fixtures/recorded-load.js';
import { type RunningService, startService } from './fixtures/running-service.js';
import { endedSigners } from './fixtures/signer-status.js';
import { watchTokens } from './fixtures/token-status.js';
import { until } from './fixtures/until.js';
import { recordGoal } from './reliability/measured-goal.js';
import { quantile } from './reliability/quantile.js';
import { sized, times } from './reliability/soak.js';

const SIGNERS = 2;
const CALLERS = 2;
const TIMEOUT_MS = 5_000;
/** So that two callers keep the signers busy without keeping the machine so. */
const TOKEN_US = 2_000;
/** The goal's; what lies at the signers when the breaker opens fails as well. */
const IN_A_ROW_MAX = 4;
const AT_SIGNERS_MAX = 2 * SIGNERS - 1;
/** The goal is 10 ms; the rest, and what this process was late itself, is what a busy machine may add. */
const REFUSED_MS = 10;
const REFUSED_MS_MAX = 250;
/** Long enough for two probes; in the long form any length, so that the end comes anywhere between two of them. */
const OUTAGE_MS = 2_300;
const outageMs = () => sized(OUTAGE_MS, 100 + Math.random() * 1_100);
/** The goal is 1 s; the rest is as above. */
const CLOSED_MS = 1_000;
const CLOSED_MS_MAX = 2_500;
const OPENED = 'token fails: its breaker is open';
const CLOSED = 'token works again: its breaker is closed';

t.test('goal F3: a token that always fails is not asked any more, and callers are told so at once', async (t) => {
  const { token, service, tokens, load } = await site(t);
  const busy = watchLateness(t);
  let callsSeen = 1;
  const refusedInMs: number[] = [];
  const seen = { probes: 0, seconds: 0, closedMs: 0, outages: 0 };

  for (const _ of times(2)) {
    const from = nextCall(token, callsSeen);
    token.order({ fail: 'C_Sign', rv: 'CKR_DEVICE_ERROR', times: 'forever' });
    await tokens.is('test', 'FAILING');
    const openMs = performance.now();
    await until(() => loggedMs(service, OPENED).length > seen.outages);
    const openedMs = loggedMs(service, OPENED).at(-1) ?? 0;
    // What comes half a probe's time later may be one.
    const failed = signs(token, from).filter(({ time_us }) => time_us / 1000 < openedMs + PROBE_MS / 2).length;
    const probesFrom = nextCall(token, from);
    t.match(await tokens.of('test'), { reason: 'CKR_DEVICE_ERROR' });
    t.ok(failed <= IN_A_ROW_MAX + AT_SIGNERS_MAX, `${failed} failures, those at the signers included, and it is open`);

    const endMs = openMs + outageMs();
    await until(() => performance.now() >= endMs);
    await load.more(10 * CALLERS);
    const clearMs = performance.now();
    token.order({ clear: true });
    const refused = load.asked(openMs, clearMs).filter(({ answeredMs }) => answeredMs < clearMs);
    const probes = signs(token, probesFrom).length;
    callsSeen = probesFrom;
    t.ok(refused.length > 0 && refused.every(({ error }) => /UNAVAILABLE/.test(error ?? '')), 'all are UNAVAILABLE');
    const tookMs = refused.map(({ askedMs, answeredMs }) => answeredMs - askedMs);
    refusedInMs.push(...tookMs);
    const refusedMs = quantile(tookMs, 0.99);
    t.ok(
      refusedMs <= REFUSED_MS_MAX + busy.ofRequestMs,
      `${refused.length} refused in ${refusedMs.toFixed(2)} ms (p99)`,
    );
    const seconds = (clearMs - openMs) / 1000;
    // What was at the signers may come to the token after it was seen that the breaker is open.
    t.ok(
      probes >= Math.floor(seconds / 2) && probes <= Math.floor(seconds) + 1 + AT_SIGNERS_MAX,
      `${probes} probes in ${seconds.toFixed(1)} s`,
    );

    await until(() => load.asked(clearMs).some(({ signature }) => signature));
    const closedMs = performance.now() - clearMs;
    t.ok(closedMs <= CLOSED_MS_MAX + busy.ofRequestMs, `signs ${Math.round(closedMs)} ms after the token does`);
    await tokens.is('test', 'SERVING', SIGNERS);
    const wholeMs = performance.now();
    await load.more(50);
    t.ok(
      load.asked(wholeMs).every(({ signature }) => signature),
      'and all are signed',
    );
    seen.probes += probes;
    seen.seconds += seconds;
    seen.closedMs = Math.max(seen.closedMs, closedMs);
    seen.outages++;
    load.forget();
  }
  await load.stop();
  // On a busy machine an outage may be so long that a signer is replaced for it, and for nothing else.
  t.ok(endedSigners(service).every((why) => /did not recover/.test(String(why))));
  t.equal((await tokens.of('test')).breakerOpenings, seen.outages);
  for (const msg of [OPENED, CLOSED]) t.equal(loggedMs(service, msg).length, seen.outages, msg);
  recordFigures(quantile(refusedInMs, 0.99), seen);
});

t.test('goal F3: a token that fails now and then is given up at the tenth time within a minute', async (t) => {
  const { token, tokens, load } = await site(t);
  for (let n = 1; n <= FAILURES_IN_WINDOW; n++) {
    t.equal((await tokens.of('test')).breakerOpenings, 0, `closed after ${n - 1}`);
    const { failed } = token.counters('C_Sign');
    token.order({ fail: 'C_Sign', rv: 'CKR_DEVICE_ERROR', times: 1 });
    await until(() => token.counters('C_Sign').failed > failed);
    // Signatures between the failures: they are no row.
    if (n < FAILURES_IN_WINDOW) await load.more(4 * CALLERS);
  }
  await until(async () => (await tokens.of('test')).breakerOpenings === 1);
  await tokens.is('test', 'SERVING', SIGNERS);
  await load.stop();
});

t.test('goal F3: a token that is away altogether is probed by its sessions, and back within a second', async (t) => {
  const { token, service, tokens, load } = await site(t);
  token.order({ fail: 'C_OpenSession', rv: 'CKR_TOKEN_NOT_PRESENT', times: 'forever' });
  const logins = token.counters('C_Login').calls;
  token.order({ revoke: 'CKR_DEVICE_REMOVED' });
  await tokens.is('test', 'FAILING');
  const openMs = performance.now();
  const tried = token.counters('C_OpenSession').calls;
  const status = await signet(['--config', service.configFile, 'status']);
  t.match(status.stdout, /test failing: C_OpenSession: CKR_TOKEN_NOT_PRESENT\n/);
  const { addresses } = (await service.logged('serving')) as { addresses: string[] };
  const metrics = await (await fetch(addresses.find((one) => one.startsWith('http:')) as string)).text();
  t.match(metrics, 'signet_token_state{token="test",state="failing"} 1\n');
  t.match(metrics, 'signet_token_breaker_openings_total{token="test"} 1\n');
  await until(() => performance.now() >= openMs + OUTAGE_MS);
  const probes = token.counters('C_OpenSession').calls - tried;
  const clearMs = performance.now();
  t.ok(probes >= 1 && probes <= (clearMs - openMs) / 1000 + 1, `${probes} probes`);
  t.equal(token.counters('C_Login').calls, logins, 'and no login');
  token.order({ clear: true });
  await until(() => load.asked(clearMs).some(({ signature }) => signature));
  await tokens.is('test', 'SERVING', SIGNERS);
  await load.stop();
  t.same(endedSigners(service), [], 'no signer was replaced');
});

function recordFigures(
  refusedMs: number,
  seen: { probes: number; seconds: number; closedMs: number; outages: number },
): void {
  const atMost = { id: 'F3', must: 'at most', of: `${seen.outages} outages` } as const;
  recordGoal(
    {
      ...atMost,
      goal: 'failures before it is open',
      measured: FAILURES_IN_A_ROW,
      unit: 'in a row',
      bound: IN_A_ROW_MAX,
    },
    { ...atMost, goal: 'refused within, p99', measured: refusedMs, unit: 'ms', bound: REFUSED_MS },
    { ...atMost, goal: 'probes', measured: seen.probes / seen.seconds, unit: '/s', bound: 1 },
    { ...atMost, goal: 'signs again after the token does', measured: seen.closedMs, unit: 'ms', bound: CLOSED_MS },
  );
}

async function site(t: Test): Promise<{
  token: FaultyToken;
  service: RunningService;
  tokens: ReturnType<typeof watchTokens>;
  load: RecordedLoad;
}> {
  const token = createFaultyToken({ keys: [{ label: 'p256', type: 'p256' }] });
  t.teardown(() => token.remove());
  const service = await startService(t, token, { signers: SIGNERS, more: { metrics: { port: 0 } } });
  const tokens = watchTokens(t, service);
  await tokens.is('test', 'SERVING', SIGNERS);
  token.order({ latencyUs: TOKEN_US });
  const load = await recordLoad(t, service, { callers: CALLERS, timeoutMs: TIMEOUT_MS });
  await load.more(CALLERS);
  return { token, service, tokens, load };
}

/** When it was logged, in milliseconds since 1970. */
function loggedMs({ log }: RunningService, msg: string): number[] {
  return log.filter((line) => line.msg === msg).map(({ time }) => Date.parse(String(time)));
}

/** The number of the call to come; `seen` is one that is not later. */
function nextCall(token: FaultyToken, seen: number): number {
  return (token.spyLog(seen).at(-1)?.number ?? seen - 1) + 1;
}

/** The signatures that were tried and failed. */
function signs(token: FaultyToken, from: number): SpiedCall[] {
  return token.spyLog(from).filter((call) => call.function === 'C_Sign' && call.rv === 'CKR_DEVICE_ERROR');
}
