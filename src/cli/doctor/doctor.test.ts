import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { initFolder, type Run } from '../../../test/fixtures/command-line.js';
import { until } from '../../../test/fixtures/until.js';
import type { Finding } from './finding.js';

const SERVICE_START_MS = 60_000;
/** What was built, not the sources, which would be compiled first. */
const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

const folder = await initFolder();
await folder.run(['keys', 'generate', '--type', 'p256', '--label', 'www']);
await folder.run(['certs', 'self-sign', '--key', 'www', '--dns', 'www.example.org', '--out', folder.file('www.crt')]);
await folder.run(['keys', 'export', '--key', 'www', '--reference', '--out', folder.file('www.key')]);
const printed = await folder.run(['config', 'openssl']);
// The test needs no provider that is built.
writeFileSync(folder.file('openssl.cnf'), printed.stdout.replace(/^module = .*$/m, `module = ${folder.file('pin')}`));
writeFileSync(folder.file('nginx.conf'), '');
let service = startService();

t.teardown(async () => {
  await end();
  folder.remove();
});

function startService() {
  return spawn(process.execPath, [MAIN, 'serve', '--config', folder.file('signet.yaml')], { stdio: 'ignore' });
}

async function end(): Promise<void> {
  if (service.exitCode !== null || service.signalCode !== null) return;
  const ended = once(service, 'exit');
  service.kill();
  await ended;
}

function doctor(...more: string[]): Promise<Run> {
  const files = ['--openssl-conf', folder.file('openssl.cnf'), '--nginx-conf', folder.file('nginx.conf')];
  return folder.run(['doctor', '--json', ...files, ...more]);
}

/** But for those of servers that happen to run on this machine. */
function faultsOf(run: Run): Finding[] {
  const { findings } = run.json() as { findings: Finding[] };
  return findings.filter(({ level, says }) => level === 'fault' && !/, pid \d+/.test(says));
}

async function serves(): Promise<void> {
  await until(async () => (await folder.run(['status', '--json'])).stdout.includes('"serving":true'), SERVICE_START_MS);
}

t.test('where all is well there is no fault, and every key has signed', async (t) => {
  await serves();
  const run = await doctor('--certificate', folder.file('www.crt'), '--key-file', folder.file('www.key'));
  t.same(faultsOf(run), []);
  const { findings } = run.json() as { findings: Finding[] };
  for (const check of ['configuration', 'module-path', 'default-provider', 'provider-order', 'socket', 'token'])
    t.ok(
      findings.some((one) => one.check === check && one.level === 'ok'),
      check,
    );
  const signed = findings.filter(({ check }) => check === 'signature');
  t.match(signed, [{ level: 'ok', says: /www: a signature was made with ecdsa_secp256r1_sha256 and verified/ }]);
  t.equal(findings.filter(({ check }) => check === 'expiry').length, 2, 'the certificate on the token, and the file');
});

t.test('signature: a key that was taken out of use is told', async (t) => {
  await folder.run(['keys', 'disable', '--key', 'www']);
  const { findings } = (await doctor()).json() as { findings: Finding[] };
  t.match(
    findings.find(({ check }) => check === 'signature'),
    { level: 'warning', says: /www: .*out of use/, remedy: /keys enable/ },
  );
  await folder.run(['keys', 'enable', '--key', 'www']);
});

t.test('signature: a key that does not sign is told, and the exit code says so', async (t) => {
  const before = readFileSync(folder.file('signet.yaml'), 'utf8');
  writeFileSync(
    folder.file('signet.yaml'),
    before.replace('uses: [tls13-server, tls12-server, csr, digest]', 'uses: [csr]'),
  );
  t.equal((await folder.run(['reload'])).code, 0);
  const run = await doctor();
  t.match(faultsOf(run), [{ check: 'signature', says: /^www: /, remedy: /grant/ }]);
  t.equal(run.code, 1);
  writeFileSync(folder.file('signet.yaml'), before);
  t.equal((await folder.run(['reload'])).code, 0);
});

t.test('the text has a line for each finding and one for what to do', async (t) => {
  const { stdout } = await folder.run(['doctor', '--openssl-conf', folder.file('nothing.cnf')]);
  t.match(stdout, /^fault {3}module-path: .*nothing\.cnf cannot be read.*\n {8}→ "signet config openssl"/m);
  t.match(stdout, /\d+ faults, \d+ warnings\n$/);
});

t.test('token: a service that does not run is told, and so is its socket', async (t) => {
  await end();
  const faults = faultsOf(await doctor());
  t.match(
    faults.map(({ check }) => check),
    ['socket', 'token'],
  );
  t.match(faults[1], { says: /cannot be asked/, remedy: /signet serve/ });
});

t.test('token: one whose PIN is wrong is told', async (t) => {
  writeFileSync(folder.file('pin'), 'wrong-pin\n');
  service = startService();
  let found: Finding | undefined;
  await until(async () => {
    found = faultsOf(await doctor()).find(({ check }) => check === 'token');
    return found !== undefined && !found.says.includes('cannot be asked');
  }, SERVICE_START_MS);
  t.match(found, { says: /token main has no signer that is ready/, remedy: /PIN/ });
});

t.test('configuration: what "signet check" finds is told', async (t) => {
  chmodSync(folder.file('pin'), 0o644);
  const faults = faultsOf(await doctor());
  t.match(faults.at(-1), { check: 'configuration', says: /pin/, remedy: /signet check/ });
  writeFileSync(folder.file('signet.yaml'), `${readFileSync(folder.file('signet.yaml'), 'utf8')}\nunknown: 1\n`);
  t.match(faultsOf(await doctor()).at(-1), { check: 'configuration', says: /unknown/ });
});
