import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createFaultyToken } from './fixtures/faulty-token.js';
import { type RunningService, startService } from './fixtures/running-service.js';
import { watchSigners } from './fixtures/signer-status.js';
import { SocketClient } from './fixtures/socket-client.js';
import { until } from './fixtures/until.js';
import { recordGoal } from './reliability/measured-goal.js';
import { Searched } from './reliability/searched.js';
import { firstKey } from './reliability/service-key.js';
import { sized } from './reliability/soak.js';

/** Nothing else looks like these, so that what is found was the PIN. */
const PIN = 'Zebra-Quartz-7431';
const WRONG_PIN = 'Mango-Violin-9056';
/** What fails around a login, and what the signers say of it. */
const FAILURES = sized(
  ['C_OpenSession', 'C_Login', 'C_Sign'] as const,
  ['C_Initialize', 'C_GetTokenInfo', 'C_OpenSession', 'C_Login', 'C_FindObjectsInit', 'C_SignInit', 'C_Sign'] as const,
);
const MAIN = join(import.meta.dirname, '../dist/main.js');
const COMMANDS = [['status'], ['doctor'], ['keys', 'list'], ['keys', 'generate', '--label', 'more']];

t.test('B11: the PIN is nowhere but in its file', async (t) => {
  const token = createFaultyToken({ pin: PIN, keys: [{ label: 'p256', type: 'p256' }] });
  t.teardown(() => token.remove());
  const seen = new Searched([PIN, WRONG_PIN]);
  const more = { log: { level: 'trace' } };

  await t.test('in a service that signs, whose token fails in every way', async (t) => {
    const service = await startService(t, token, { signers: 2, more });
    const signers = watchSigners(t, service);
    await signers.whole(2);
    const client = await SocketClient.hello(service.webSocket);
    const spkiSha256 = await firstKey(service);
    let id = 1;
    for (const name of FAILURES) {
      token.order({ fail: name, rv: 'CKR_DEVICE_ERROR', times: 1 });
      for (const pid of await signers.ready()) process.kill(pid, 'SIGKILL');
      seen.processes(service.pid);
      client.sign(++id, { spkiSha256, timeoutUs: 2_000_000 });
      seen.text(`the answer while ${name} failed`, JSON.stringify(await client.answer(id)));
      await until(async () => (await signers.ready()).length > 0);
      seen.processes(service.pid);
      token.order({ clear: true });
    }
    for (const args of COMMANDS) await runCommand(service, args, seen);
    seen.text('the status', JSON.stringify(await signers.all()));
    client.close();
    await ended(service, seen);
  });

  await t.test('in a service whose PIN is wrong, and whose PIN file is of no use', async (t) => {
    const wrongFile = join(token.folder, 'wrong-pin');
    writeFileSync(wrongFile, `${WRONG_PIN}\n`, { mode: 0o600 });
    const mistaken = {
      ...token,
      tokenConfig: (changes = {}) => token.tokenConfig({ ...changes, pin_file: wrongFile }),
    };
    const service = await startService(t, mistaken, { signers: 2, more });
    await service.logged('token is out of use');
    const client = await SocketClient.hello(service.webSocket);
    client.sign(2);
    seen.text('the answer when the PIN is wrong', JSON.stringify(await client.answer(2)));
    for (const args of COMMANDS.slice(1, 3)) await runCommand(service, args, seen);
    chmodSync(wrongFile, 0o644);
    await runCommand(service, ['check'], seen);
    client.close();
    await ended(service, seen);
  });

  t.ok(seen.places > 30, `${seen.places} places, ${seen.bytes} bytes`);
  t.same(seen.found, [], 'the PIN is in none');
  const of = `${seen.places} logs, argv, environ, answers, outputs and files, ${seen.bytes} bytes`;
  recordGoal({
    id: 'B11',
    goal: 'places where the PIN was found',
    measured: seen.found.length,
    unit: '',
    must: 'at most',
    bound: 0,
    of,
  });
});

async function runCommand(service: RunningService, args: readonly string[], seen: Searched): Promise<void> {
  const child = spawn(process.execPath, [MAIN, '--config', service.configFile, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output.push(chunk);
      seen.process(child.pid as number);
    });
  }
  await once(child, 'close');
  seen.text(`signet ${args.join(' ')}`, Buffer.concat(output).toString('latin1'));
}

async function ended(service: RunningService, seen: Searched): Promise<void> {
  service.kill('SIGTERM');
  await service.exit();
  seen.text('the log', JSON.stringify(service.log));
  seen.folder(service.folder);
}
