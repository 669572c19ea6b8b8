import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { verifyAudit } from '../src/audit/verify.js';
import { WIRE_CODE } from '../src/errors.js';
import type { SignStreamResponse } from '../src/gen/signet/v1/sign.js';
import { signet } from './fixtures/command-line.js';
import { type RunningService, startService } from './fixtures/running-service.js';
import { SocketClient } from './fixtures/socket-client.js';
import { createToken } from './fixtures/softhsm-token.js';
import { until } from './fixtures/until.js';
import { recordGoal } from './reliability/measured-goal.js';

const WORKERS = 8;
/** One in so many requests asks for a key that is not there, one is withdrawn at once. */
const DENIED_EACH = 7;
const CANCELLED_EACH = 11;

t.test('B12: audit lines are attempts, OK lines are OK answers, under faults and across restarts', async (t) => {
  const token = createToken({ keys: [{ label: 'p256', type: 'p256' }] });
  t.teardown(() => token.remove());
  const wish = { signers: 2, more: { audit: { file: 'audit.log', rotate_bytes: 200_000, keep_files: 1_000 } } };

  const first = await startService(t, token, wish);
  const again = { ...wish, folder: first.folder };
  const load = await startLoad(first);
  for (let kill = 1; kill <= 2; kill++) {
    await until(() => load.answered.size > 200 * kill && readySigners(first).length > kill);
    process.kill(readySigners(first).at(-1) as number, 'SIGKILL');
  }
  await until(() => load.answered.size > 1_000);
  await load.stop();
  first.kill('SIGTERM');
  t.equal(await first.exit(), 0);
  const recorded = await recordedIn(t, first);
  t.equal(recorded.lines, load.answered.size, 'a line for every attempt');
  t.same([...recorded.outcomes].sort(), [...load.answered].sort(), 'each with the outcome that was answered');
  t.equal(new Set(load.answered.values()).size >= 3, true, `outcomes: ${[...new Set(load.answered.values())]}`);

  const differing = [...load.answered].filter(
    ([attempt, outcome]) => recorded.outcomes.get(attempt) !== outcome,
  ).length;
  // Whoever dies in the middle of a write leaves a part of a line.
  appendFileSync(first.auditFile, '{"seq":123456,"time":"2026-');
  const second = await startService(t, token, again);
  const cutOff = await startLoad(second);
  await until(() => cutOff.answered.size > 200);
  second.kill('SIGKILL');
  await second.exit();
  await cutOff.stop();
  // The one above, and perhaps another: a write of several pages is cut off between two of them by a SIGKILL.
  const afterKill = await recordedIn(t, second, [1, 2]);
  const missing = [...cutOff.answered].filter(([attempt, outcome]) => afterKill.outcomes.get(attempt) !== outcome);
  t.same(missing, [], 'a line was written before its answer left');
  const lines = load.answered.size + cutOff.answered.size;
  recordGoal({
    id: 'B12',
    goal: 'answers without their audit line, or with another outcome there',
    measured: differing + missing.length + Math.abs(recorded.lines - load.answered.size),
    unit: '',
    must: 'at most',
    bound: 0,
    of: `${lines} answers, 2 signers killed, the service killed once`,
  });

  const third = await startService(t, token, again);
  third.kill('SIGTERM');
  t.equal(await third.exit(), 0);
  const head = third.log.findLast((line) => line.msg === 'head of the audit chain')?.audit as {
    seq: number;
    hash: string;
  };
  const verdict = await signet(['audit', 'verify', '--file', third.auditFile, '--head', `${head.seq}:${head.hash}`]);
  t.match(verdict, {
    code: 0,
    stdout: `${head.seq} lines, ${afterKill.torn} torn: the chain holds\nhead ${head.seq}:${head.hash}`,
  });
});

/** Requests of several connections until it is stopped or the service is gone; the outcome of each by its attempt id. */
async function startLoad(service: RunningService) {
  const keys = (await service.logged('keys found')).keys as { spkiSha256: string }[];
  const spkiSha256 = Buffer.from(keys[0]?.spkiSha256 ?? '', 'hex');
  const answered = new Map<string, string>();
  let going = true;
  const worker = async () => {
    const client = await SocketClient.hello(service.webSocket);
    for (let id = 2; going && !client.ended; id++) {
      const attemptId = randomBytes(16);
      client.sign(id, { spkiSha256: id % DENIED_EACH === 0 ? Buffer.alloc(32, 9) : spkiSha256, attemptId });
      if (id % CANCELLED_EACH === 0) client.send({ id, body: { $case: 'cancel', value: {} } });
      const answer = await client.answer(id).catch(() => undefined);
      client.frames.length = 0;
      if (answer) answered.set(attemptId.toString('hex'), outcomeOf(answer.body));
    }
    client.close();
  };
  const workers = Array.from({ length: WORKERS }, worker);
  const stop = async () => {
    going = false;
    await Promise.all(workers);
  };
  return { answered, stop };
}

function outcomeOf(body: SignStreamResponse['body']): string {
  if (body?.$case === 'sign') return 'ok';
  const code = body?.$case === 'error' ? body.value.code : undefined;
  return Object.entries(WIRE_CODE).find(([, wire]) => wire === code)?.[0] ?? String(code);
}

/** The signers that were ever ready; the last one lives. */
function readySigners(service: RunningService): number[] {
  return service.log.filter((line) => line.msg === 'signer is ready').map((line) => line.signer as number);
}

/** What stands in all audit files of a service, whose chain must hold; so many torn lines may be in it. */
async function recordedIn(t: Test, service: RunningService, mayBeTorn: readonly number[] = [0]) {
  const { torn, ...verdict } = await verifyAudit(service.auditFile);
  t.match(verdict, { problem: undefined, ok: true });
  t.ok(mayBeTorn.includes(torn), `${torn} torn`);
  const run = await signet(['audit', 'tail', '--file', service.auditFile, '-n', '1000000', '--json']);
  const attempts = run.stdout
    .split('\n')
    .filter((line) => line.startsWith('{"seq":') && line.endsWith('"}'))
    .map((line) => JSON.parse(line))
    .filter((line) => line.type === undefined);
  return {
    torn,
    lines: attempts.length,
    outcomes: new Map(attempts.map(({ attempt, outcome }) => [attempt, outcome])),
  };
}
