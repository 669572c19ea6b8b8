import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { signet } from './fixtures/command-line.js';
import { createFaultyToken } from './fixtures/faulty-token.js';
import { recordLoad } from './fixtures/recorded-load.js';
import { type RunningService, startService } from './fixtures/running-service.js';
import { watchSigners } from './fixtures/signer-status.js';
import { watchTokens } from './fixtures/token-status.js';
import { until } from './fixtures/until.js';
import { recordGoal } from './reliability/measured-goal.js';
import { times } from './reliability/soak.js';

const SIGNERS = 3;
const WRONG = 'wrong-pin-4711';
const CKF_USER_PIN_FINAL_TRY = 0x0002_0000;

const token = createFaultyToken({ keys: [{ label: 'p256', type: 'p256' }] });
t.teardown(() => token.remove());

t.test(
  'goal F6: a wrong PIN costs one C_Login, over all signers and restarts, until the PIN file is another',
  async (t) => {
    const { pinFile, start, logins } = siteOf(t, WRONG);
    const first = await start();
    await watchTokens(t, first).is('test', 'LATCHED');
    t.equal(logins(), 1, `one login by ${SIGNERS} signers`);
    t.match(await watchTokens(t, first).of('test'), { reason: /CKR_PIN_INCORRECT .*correct the PIN file/ });
    t.match((await command(first, 'status')).stdout, /test latched: wrong PIN: C_Login: CKR_PIN_INCORRECT/);

    let restarts = 0;
    for (const n of times(2)) {
      const before = latest(first);
      const signal = n % 2 ? 'SIGTERM' : 'SIGKILL';
      before.kill(signal);
      await before.exit();
      const next = await start();
      await watchTokens(t, next).is('test', 'LATCHED');
      t.equal(logins(), 1, `none after ${signal} and a start`);
      restarts++;
    }
    recordGoal({
      id: 'F6',
      goal: 'logins with a wrong PIN',
      measured: logins(),
      unit: '',
      must: 'at most',
      bound: 1,
      of: `${SIGNERS} signers, ${restarts} restarts of the service`,
    });

    const last = latest(first);
    const latched = () => last.log.filter(({ msg }) => msg === 'token is out of use').length;
    for (const wrong of ['still-wrong-0815', WRONG]) {
      const before = latched();
      writeFileSync(pinFile, wrong, { mode: 0o600 });
      await until(() => latched() > before, 60_000);
    }
    writeFileSync(pinFile, token.pin, { mode: 0o600 });
    await watchTokens(t, last).is('test', 'SERVING', SIGNERS);
    t.equal(
      logins(),
      2 + SIGNERS,
      'another PIN costs one more, one that was wrong before none, and the right one opens it',
    );
    t.notMatch(JSON.stringify(last.log), new RegExp(`${WRONG}|${token.pin}`));
  },
);

t.test(
  'goal F6: a PIN that is right by now is tried when somebody says so, in the service or before it starts',
  async (t) => {
    const { start, logins } = siteOf(t);
    token.order({ fail: 'C_Login', rv: 'CKR_PIN_INCORRECT', times: 'forever' });
    const service = await start();
    await watchTokens(t, service).is('test', 'LATCHED');
    t.match(await command(service, 'token', 'unlatch', 'test'), { code: 0, stderr: /the latch is open/ });
    await until(() => logins() === 2, 60_000);
    await watchTokens(t, service).is('test', 'LATCHED');
    service.kill('SIGTERM');
    await service.exit();
    t.equal(logins(), 2, 'it was tried once, and refused again');

    token.order({ clear: true });
    t.match(await command(service, 'token', 'unlatch', 'test'), { code: 0, stderr: /the latch is open.* that starts/ });
    const next = await start();
    await watchTokens(t, next).is('test', 'SERVING', SIGNERS);
    t.match(await command(next, 'token', 'unlatch', 'test'), { code: 0, stderr: /no PIN was latched/ });
    t.match(await command(next, 'token', 'unlatch', 'nobody'), {
      code: 2,
      stderr: /expected one of test; "nobody" came/,
    });
  },
);

t.test(
  'goal F6: there is no login while the token says that it is the last, and one when somebody permits it',
  async (t) => {
    const { start, logins } = siteOf(t);
    token.order({ tokenFlags: CKF_USER_PIN_FINAL_TRY });
    const service = await start(1);
    const tokens = watchTokens(t, service);
    await tokens.is('test', 'LATCHED');
    t.match(await tokens.of('test'), { reason: /CKF_USER_PIN_FINAL_TRY.*signet token unlatch/ });
    t.equal(logins(), 0);
    service.kill('SIGTERM');
    await service.exit();
    const next = await start(1);
    await watchTokens(t, next).is('test', 'LATCHED');
    t.equal(logins(), 0, 'nor after a restart');
    t.match(await command(next, 'token', 'unlatch', 'test'), { code: 0 });
    await watchTokens(t, next).is('test', 'SERVING', 1);
    t.equal(logins(), 1);
  },
);

t.test('goal F6: signers log in one after the other', async (t) => {
  const { start } = siteOf(t);
  const from = (token.spyLog().at(-1)?.number ?? 0) + 1;
  token.order({ latencyUs: 100_000, of: 'C_Login' });
  const service = await start(4);
  await watchTokens(t, service).is('test', 'SERVING', 4);
  const calls = token.spyLog(from).filter((call) => call.function === 'C_Login');
  t.equal(calls.length, 4);
  for (const [n, { time_us }] of calls.entries()) {
    const before = calls[n - 1];
    if (before)
      t.ok(time_us >= before.time_us + (before.duration_us ?? 0), `login ${n + 1} begins when ${n} has ended`);
  }
});

t.test(
  'goal F6: a PIN that becomes wrong in a running service costs one login, and who is logged in goes on',
  async (t) => {
    const { pinFile, start, logins } = siteOf(t);
    const service = await start();
    await watchTokens(t, service).is('test', 'SERVING', SIGNERS);
    const load = await recordLoad(t, service, { callers: 2, timeoutMs: 10_000 });
    writeFileSync(pinFile, WRONG, { mode: 0o600 });
    const [, ...victims] = await watchSigners(t, service).ready();
    for (const pid of victims) process.kill(pid, 'SIGKILL');
    await watchTokens(t, service).is('test', 'LATCHED');
    await load.more(50);
    await load.stop();
    t.equal(logins(), SIGNERS + 1);
    t.same(
      load.answers.flatMap(({ error }) => error ?? []),
      [],
      `${load.answers.length} were signed by the one that was left`,
    );

    token.order({ revoke: 'CKR_SESSION_HANDLE_INVALID' });
    const after = await recordLoad(t, service, { callers: 1, timeoutMs: 10_000 });
    await after.more(2);
    await after.stop();
    t.match(after.answers.at(-1), { error: /UNAVAILABLE.*out of use \(test is latched\)/ });
    t.equal(logins(), SIGNERS + 1, 'nor does the one that was left try it, when its session is gone');
    writeFileSync(pinFile, token.pin, { mode: 0o600 });
    await watchTokens(t, service).is('test', 'SERVING', SIGNERS);
    t.equal(logins(), 2 * SIGNERS + 1);
  },
);

/** Services one after the other, by the folder that they share. */
const services = new Map<string, RunningService>();
const latest = ({ folder }: RunningService) => services.get(folder) as RunningService;

/** A PIN file of its own, and services that share a folder; `pin` is what the file says. */
function siteOf(t: Test, pin = token.pin) {
  token.order({ clear: true });
  const before = token.counters('C_Login').calls;
  const folder = mkdtempSync(join(tmpdir(), 'signet-F6-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const pinFile = join(folder, 'pin-of-the-service');
  writeFileSync(pinFile, pin, { mode: 0o600 });
  const configured = { tokenConfig: (changes = {}) => token.tokenConfig({ pin_file: pinFile, ...changes }) };
  const start = async (signers = SIGNERS) => {
    const service = await startService(t, configured, { signers, folder });
    services.set(folder, service);
    return service;
  };
  return { pinFile, start, logins: () => token.counters('C_Login').calls - before };
}

function command({ configFile }: RunningService, ...words: string[]) {
  return signet(['--config', configFile, ...words]);
}
