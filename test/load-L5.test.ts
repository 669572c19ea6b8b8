import t from 'tap';
import { createFaultyToken } from './fixtures/faulty-token.js';
import { knownKey } from './fixtures/known-key.js';
import { startService } from './fixtures/running-service.js';
import { watchSigners } from './fixtures/signer-status.js';
import { until } from './fixtures/until.js';
import { recordGoal } from './reliability/measured-goal.js';
import { LOAD_MESSAGE, loadRequest, PipelinedClient } from './reliability/pipelined-client.js';
import { descriptors, residentMiB, slope } from './reliability/process-use.js';
import { form, times } from './reliability/soak.js';

const SIGNERS = 2;
const CALLERS = 4;
const SIGNATURES_EACH = 10;
const CONNECTIONS = { short: 300, soak: 100_000 };
const TIMEOUT_MS = 10_000;
/** Before, code is compiled and heaps grow to their size. */
const WARMUP_PART = 0.3;
const LOOK_EVERY = 10;
const SLOPE_MIB_MAX = 1;
/** Of the short form, in which all is warm-up. */
const GROWTH_MIB_MAX = 64;

t.test('L5: every signature of many connections verifies, and nothing is left of them', async (t) => {
  const key = knownKey();
  const token = createFaultyToken({ keys: [{ label: 'known', pem: key.pem }] });
  t.teardown(() => token.remove());
  const service = await startService(t, token, { signers: SIGNERS, more: { log: { level: 'info' } } });
  const signers = watchSigners(t, service);
  await signers.whole(SIGNERS);
  const request = loadRequest(key.spkiSha256, TIMEOUT_MS);
  const processes = [service.pid, ...(await signers.ready())];
  const used = () => ({
    descriptors: processes.map(descriptors),
    opened: token.counters('C_OpenSession').calls,
    closed: token.counters('C_CloseSession').calls,
    logins: token.counters('C_Login').calls,
  });
  await (await PipelinedClient.open(service.webSocket)).close();
  const before = used();

  const counts = { connections: 0, signatures: 0, wrong: 0, failed: 0 };
  const memory: [signatures: number, ...mib: number[]][] = [];
  const turns = times(CONNECTIONS.short, CONNECTIONS.soak);
  const caller = async () => {
    for (const turn of turns) {
      const client = await PipelinedClient.open(service.webSocket);
      const answers = await Promise.all(Array.from({ length: SIGNATURES_EACH }, () => client.request(request)));
      await client.close();
      counts.connections++;
      for (const { signature } of answers) {
        if (!signature) counts.failed++;
        else if (key.verifies(LOAD_MESSAGE, signature)) counts.signatures++;
        else counts.wrong++;
      }
      if (turn % LOOK_EVERY === 0) memory.push([counts.signatures, ...processes.map(residentMiB)]);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));

  const of = `${counts.signatures} signatures, ${counts.connections} connections`;
  t.match(counts, { signatures: counts.connections * SIGNATURES_EACH, wrong: 0, failed: 0 }, of);
  const left = () =>
    used().descriptors.reduce((sum, count, i) => sum + Math.max(0, count - (before.descriptors[i] ?? 0)), 0);
  await until(() => left() === 0).catch(() => undefined);
  t.equal(left(), 0, 'no descriptor is left');
  t.match(used(), { ...before, descriptors: Array }, 'sessions are as many as before');
  const figure = (goal: string, measured: number, unit: string, bound: number) =>
    recordGoal({ id: 'L5', goal, measured, unit, must: 'at most', bound, of });
  figure('signatures that do not verify, or failed', counts.wrong + counts.failed, '', 0);
  figure('descriptors more', left(), '', 0);
  figure('sessions more', used().opened - before.opened, '', 0);
  const warm = memory.slice(Math.floor(memory.length * WARMUP_PART));
  const slopes = processes.map((_, i) => slope(warm.map((point) => [point[0] / 100_000, point[i + 1] ?? 0])));
  const grown = processes.map((_, i) => (memory.at(-1)?.[i + 1] ?? 0) - (memory[0]?.[i + 1] ?? 0));
  if (form() === 'short') {
    t.ok(
      grown.every((mib) => mib <= GROWTH_MIB_MAX),
      `MiB more, front and signers: ${grown.map((mib) => mib.toFixed(1))}`,
    );
    return;
  }
  const steepest = Math.max(...slopes.slice(1));
  t.ok(
    (slopes[0] ?? 0) <= SLOPE_MIB_MAX && steepest <= SLOPE_MIB_MAX,
    `MiB for 100,000: ${slopes.map((mib) => mib.toFixed(2))}`,
  );
  figure('more memory of the front for 100,000 signatures', slopes[0] ?? 0, 'MiB', SLOPE_MIB_MAX);
  figure('more memory of a signer for 100,000 signatures', steepest, 'MiB', SLOPE_MIB_MAX);
});
