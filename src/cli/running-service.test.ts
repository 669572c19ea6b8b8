import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { initFolder } from '../../test/fixtures/command-line.js';

const SERVICE_START_MS = 30_000;
const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

const folder = await initFolder();
const label = (type: string) => ['keys', 'generate', '--type', type, '--label', type];
for (const type of ['p256', 'rsa2048', 'ed25519']) await folder.run(label(type));

const service = spawn(process.execPath, ['--import=tsx', MAIN, 'serve', '--config', folder.file('signet.yaml')], {
  cwd: PROJECT,
  stdio: ['ignore', 'ignore', 'pipe'],
});
const log: Buffer[] = [];
service.stderr.on('data', (chunk: Buffer) => log.push(chunk));
const ended = once(service, 'exit');
t.teardown(async () => {
  service.kill();
  await ended;
  folder.remove();
});

t.test('serve starts with the configuration of init as it is; status tells of signers and keys', async (t) => {
  const status = await untilServing();
  t.equal(status.signers.length, 2);
  t.same(status.keys.map((key: { label: string }) => key.label).sort(), ['ed25519', 'p256', 'rsa2048']);
  t.match((await folder.run(['status'])).stdout, /serving[\s\S]*p256/);
});

t.test('a signature of each kind of key is made over gRPC and verifies', async (t) => {
  for (const [key, scheme] of [
    ['p256', 'ecdsa_secp256r1_sha256'],
    ['rsa2048', 'rsa_pss_rsae_sha384'],
    ['ed25519', 'ed25519'],
  ]) {
    const signed = await folder.run(['sign', '--key', `label:${key}`, '--scheme', `${scheme}`], 'a message');
    t.equal(signed.code, 0, signed.stderr);
    writeFileSync(folder.file('signature'), signed.stdout);
    const verify = ['verify', '--key', `${key}`, '--scheme', `${scheme}`, '--signature', folder.file('signature')];
    t.match(await folder.run(verify, 'a message'), { code: 0, stderr: /is right/ });
    t.match(await folder.run(verify, 'another message'), { code: 1 }, 'another message does not pass');
  }
});

t.test('every attempt stands in the audit file of init, and its chain holds', async (t) => {
  const lines = (await folder.run(['audit', 'tail', '--json'])).stdout.toString().trim().split('\n');
  const attempts = lines.map((line) => JSON.parse(line)).filter(({ type }) => type === undefined);
  t.match(attempts.slice(-3), [{ label: 'p256' }, { label: 'rsa2048' }, { label: 'ed25519', outcome: 'ok' }]);
  t.match(await folder.run(['audit', 'verify']), { code: 0 });
});

t.test('a digest, and a message too long for the wire, are signed as the message itself is', async (t) => {
  const long = Buffer.alloc(20_000, 'x');
  const digest = createHash('sha256').update(long).digest();
  for (const [args, input] of [
    [[], long],
    [['--digest'], digest],
  ] as const) {
    const out = folder.file('raw');
    t.match(await folder.run(['sign', '--key', 'rsa2048', '--out', out, ...args], input), { code: 0 });
    t.match(await folder.run(['verify', '--key', 'rsa2048', '--signature', out], long), { code: 0 });
  }
  t.match(await folder.run(['sign', '--key', 'ed25519'], long), { code: 2 });
});

t.test('keys disable works at once, and enable takes it back', async (t) => {
  const sign = () => folder.run(['sign', '--key', 'p256', '--json'], 'x');
  t.match(await folder.run(['keys', 'disable', '--key', 'p256', '--json']), { code: 0 });
  const refused = await sign();
  t.equal(refused.code, 5);
  t.equal(refused.json().error.code, 'refused');
  t.match((await folder.run(['status'])).stdout, /p256.*DISABLED/);
  t.match(await folder.run(['keys', 'enable', '--key', 'p256']), { code: 0 });
  t.equal((await sign()).code, 0);
  t.match(await folder.run(['keys', 'disable', '--key', 'nobody']), { code: 7 });
});

t.test('the service is told of a new key and of a key that is gone', async (t) => {
  const made = await folder.run(label('p384'));
  t.match(made.stderr, /looked at its tokens again: 4 keys/);
  const listed = (await folder.run(['keys', 'list', '--service', '--json'])).json();
  t.same(listed.keys.map((key: { label: string }) => key.label).sort(), ['ed25519', 'p256', 'p384', 'rsa2048']);
  t.match(await folder.run(['sign', '--key', 'p384'], 'x'), { code: 0 });
  t.match((await folder.run(['keys', 'delete', '--key', 'p384', '--yes'])).stderr, /again: 3 keys/);
  t.match(await folder.run(['sign', '--key', 'p384'], 'x'), { code: 5 });
});

t.test('an export by way of the service is the same as from the token', async (t) => {
  const args = ['keys', 'export', '--key', 'p256', '--reference'];
  t.equal((await folder.run([...args, '--service'])).stdout, (await folder.run(args)).stdout);
});

t.test('a scheme that does not fit the key is a usage error that names those that do', async (t) => {
  const run = await folder.run(['sign', '--key', 'p256', '--scheme', 'ed25519'], 'x');
  t.match(run, { code: 2, stderr: /signs with ecdsa_secp256r1_sha256/ });
});

t.test('serve ends with 0 after SIGTERM', async (t) => {
  service.kill('SIGTERM');
  const [code] = await ended;
  t.equal(code, 0, Buffer.concat(log).toString());
});

/** The status once the service serves all three keys. */
async function untilServing(): Promise<any> {
  const untilMs = Date.now() + SERVICE_START_MS;
  for (;;) {
    const run = await folder.run(['status', '--json']);
    if (run.code === 0 && run.json().serving === true) return run.json();
    if (service.exitCode !== null || Date.now() > untilMs) {
      throw new Error(`the service does not serve: ${run.stderr}${Buffer.concat(log).toString().slice(-2000)}`);
    }
    await delay(20);
  }
}
