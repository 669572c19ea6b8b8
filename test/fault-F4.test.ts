import t from 'tap';
import { createFaultyToken } from './fixtures/faulty-token.js';
import { recordLoad } from './fixtures/recorded-load.js';
import { startService } from './fixtures/running-service.js';
import { watchSigners } from './fixtures/signer-status.js';
import { until } from './fixtures/until.js';

const HANGS = 5;
const SIGNERS = 2;
const CALLERS = 6;
/** The caller's deadline comes long before the service takes the signer for hung. */
const TIMEOUT_MS = 400;
const SIGN_HANG_MS = 800;
/** So slow that the token, not the machine, is what the rate depends on. */
const TOKEN_US = 20_000;
/** The goal is 50 ms; the rest is what a busy machine may add. */
const LATE_MS_MAX = 50 + 200;
/** The goal is 0.9 of what the healthy signers had; the rest is what a busy machine may take. */
const SHARE_MIN = 0.75 * ((SIGNERS - 1) / SIGNERS);
const REPLACED_MS_MAX = 2_000;
/** A hang is answered late to the job at the token and to the one that waits behind it. */
const LOST_PER_HANG_MAX = 2;

t.test('goal F4: a C_Sign that never returns costs its own caller only, and its signer is replaced', async (t) => {
  const token = createFaultyToken({ keys: [{ label: 'p256', type: 'p256' }] });
  t.teardown(() => token.remove());
  const impatient = {
    ...token,
    tokenConfig: (changes = {}) => token.tokenConfig({ sign_hang_ms: SIGN_HANG_MS, ...changes }),
  };
  const startedMs = performance.now();
  const service = await startService(t, impatient, { signers: SIGNERS });
  const signers = watchSigners(t, service);
  await signers.whole(SIGNERS);
  // On a machine too busy to start a signer in its time, the bound is what starting a service took a moment ago.
  const replacedMsMax = Math.max(REPLACED_MS_MAX, 2 * (performance.now() - startedMs));
  token.order({ latencyUs: TOKEN_US });
  const load = await recordLoad(t, service, { callers: CALLERS, timeoutMs: TIMEOUT_MS });

  const shares: number[] = [];
  const replaced: number[] = [];
  for (let hang = 1; hang <= HANGS; hang++) {
    const beforeMs = performance.now();
    await load.more(20);
    const beganMs = performance.now();
    token.order({ hang: 'C_Sign', times: 1 });
    await until(() => token.counters('C_Sign').hung === hang);
    const hungMs = performance.now();
    await until(async () => (await signers.ready()).length < SIGNERS, SIGN_HANG_MS + replacedMsMax);
    const killedMs = performance.now();
    await signers.whole(SIGNERS);
    replaced.push(performance.now() - hungMs - SIGN_HANG_MS);
    const signed = (fromMs: number, toMs: number) =>
      load.answers.filter(({ answeredMs, signature }) => signature && answeredMs >= fromMs && answeredMs < toMs)
        .length /
      (toMs - fromMs);
    shares.push(signed(hungMs, killedMs) / signed(beforeMs, beganMs));
  }
  await load.stop();

  const failed = load.answers.filter(({ error }) => error);
  const lateMs = Math.max(...load.answers.map(({ askedMs, answeredMs }) => answeredMs - askedMs - TIMEOUT_MS));
  t.ok(
    failed.every(({ error }) => error?.startsWith('ERROR_CODE_DEADLINE_EXCEEDED')),
    'the callers that the hang cost are told that their time is over',
  );
  t.ok(failed.length >= HANGS && failed.length <= HANGS * LOST_PER_HANG_MAX, `${failed.length} in ${HANGS} hangs`);
  t.ok(lateMs <= LATE_MS_MAX, `the last answer came ${Math.round(lateMs)} ms after its deadline`);
  const share = median(shares);
  t.ok(share >= SHARE_MIN, `while one of ${SIGNERS} hung, ${shares.map((s) => s.toFixed(2))} of the rate before`);
  t.ok((replaced[0] ?? Number.POSITIVE_INFINITY) <= replacedMsMax, `replaced after ${replaced.map(Math.round)} ms`);
});

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
