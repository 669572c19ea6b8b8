import t from 'tap';
import { createFaultyToken } from './fixtures/faulty-token.js';
import { startService } from './fixtures/running-service.js';
import { watchSigners } from './fixtures/signer-status.js';
import { recordGoal } from './reliability/measured-goal.js';
import { closedLoop, codesOf, openLoop, tookMs } from './reliability/open-loop.js';
import { loadRequest, PipelinedClient } from './reliability/pipelined-client.js';
import { residentMiB, watchMemory } from './reliability/process-use.js';
import { quantile } from './reliability/quantile.js';
import { firstKey } from './reliability/service-key.js';
import { seconds, sized } from './reliability/soak.js';

const TOKEN_US = 2_000;
const SESSIONS = 2;
const CAN_PER_S = (SESSIONS * 1_000_000) / TOKEN_US;
const CONNECTIONS = 8;
/** What a caller of the AWS external key store waits. */
const TIMEOUT_MS = 250;
const PEAK_S = sized(1, 10);
const OVERLOAD_S = seconds(2, 60);
/** A caller who comes alone afterwards is answered so soon when all is as before. */
const NORMAL_MS = 25;

/** The goals, and what a machine that is busy with other tests is allowed. */
const GOODPUT_MIN = 0.9;
const REFUSED_MS = 10;
const ACCEPTED_MS = 250;
const GROWTH_MIB = 64;
const NORMAL_AFTER_MS = 1_000;
const BUSY = { goodput: 0.5, refusedMs: 500, acceptedMs: 1_000 };
/** A machine on which the token does not even reach this part of its speed has no time for the service: there only the sense is judged. */
const PEAK_SHARE_MIN = 0.7;

t.test(
  'L3: asked 2 and 5 times what the token can, the service does what it can and refuses the rest at once',
  async (t) => {
    const token = createFaultyToken({ keys: [{ label: 'p256', type: 'p256' }] });
    t.teardown(() => token.remove());
    const service = await startService(t, token, { signers: SESSIONS, more: { log: { level: 'info' } } });
    await watchSigners(t, service).whole(SESSIONS);
    token.order({ latencyUs: TOKEN_US });
    const request = loadRequest(await firstKey(service), TIMEOUT_MS);
    const clients = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => PipelinedClient.open(service.webSocket)),
    );
    t.teardown(() => Promise.all(clients.map((client) => client.close())));

    const before = await closedLoop(clients, request, PEAK_S);
    const peak = (codesOf(before).OK ?? 0) / PEAK_S;
    const memory = watchMemory(service.pid);
    const restMiB = residentMiB(service.pid);
    for (const factor of [2, 5]) {
      const beganMs = performance.now();
      const answers = await openLoop({ clients, request, rate: factor * CAN_PER_S, seconds: OVERLOAD_S });
      const tookS = (performance.now() - beganMs) / 1000;
      const normalMs = await normalAfter(clients[0] as PipelinedClient, request);
      const codes = codesOf(answers);
      const goodput = (codes.OK ?? 0) / tookS / peak;
      const refusedMs = quantile(tookMs(answers, 'RESOURCE_EXHAUSTED'), 0.99);
      const accepted = answers.filter(({ code }) => code !== 'RESOURCE_EXHAUSTED');
      const acceptedMs = quantile(
        accepted.map((answer) => answer.tookMs),
        0.99,
      );
      const said = `${factor} times: ${JSON.stringify(codes)}`;
      t.ok((codes.OK ?? 0) > 0 && (codes.RESOURCE_EXHAUSTED ?? 0) > 0, said);
      t.ok(normalMs <= 10 * NORMAL_AFTER_MS, `${said}; as before after ${normalMs.toFixed(0)} ms`);
      if (peak >= PEAK_SHARE_MIN * CAN_PER_S) {
        t.ok(goodput >= BUSY.goodput, `${said}; goodput ${goodput.toFixed(2)} of a peak of ${peak.toFixed(0)}/s`);
        t.ok(refusedMs <= BUSY.refusedMs, `${said}; refused within ${refusedMs.toFixed(1)} ms (p99)`);
        t.ok(acceptedMs <= BUSY.acceptedMs, `${said}; answered within ${acceptedMs.toFixed(1)} ms (p99)`);
      }
      t.same(
        Object.keys(codes).filter((code) => !['OK', 'RESOURCE_EXHAUSTED', 'DEADLINE_EXCEEDED'].includes(code)),
        [],
      );
      const of = `${answers.length} requests in ${OVERLOAD_S} s, peak ${peak.toFixed(0)}/s`;
      const figure = (what: string, measured: number, unit: string, must: 'at least' | 'at most', bound: number) =>
        recordGoal({ id: 'L3', goal: `${factor} × overload, ${what}`, measured, unit, must, bound, of });
      figure('goodput of the peak', goodput, '', 'at least', GOODPUT_MIN);
      figure('refused, p99', refusedMs, 'ms', 'at most', REFUSED_MS);
      figure('accepted, p99', acceptedMs, 'ms', 'at most', ACCEPTED_MS);
      figure('as before afterwards', normalMs, 'ms', 'at most', NORMAL_AFTER_MS);
    }
    memory.stop();
    const grownMiB = memory.mostMiB - restMiB;
    t.ok(grownMiB <= GROWTH_MIB, `${grownMiB.toFixed(1)} MiB more`);
    recordGoal({ id: 'L3', goal: 'more memory', measured: grownMiB, unit: 'MiB', must: 'at most', bound: GROWTH_MIB });
  },
);

/** How long it takes after the last answer of an overload until a caller is served as if there had been none. */
async function normalAfter(
  client: PipelinedClient,
  request: Parameters<PipelinedClient['request']>[0],
): Promise<number> {
  const beganMs = performance.now();
  for (;;) {
    const { code, tookMs } = await client.request(request);
    const afterMs = performance.now() - beganMs;
    if ((code === 'OK' && tookMs <= NORMAL_MS) || afterMs > 20 * NORMAL_AFTER_MS) return afterMs;
  }
}
