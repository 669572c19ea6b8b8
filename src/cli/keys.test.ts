import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { initFolder, signet } from '../../test/fixtures/command-line.js';
import { loadConfig } from '../config/load.js';
import { readPin } from '../config/pin.js';
import { publicKeyFromKeyObject } from '../public-key.js';
import { KEY_KINDS } from '../token-admin/key-kinds.js';
import { withToken } from '../token-admin/open-token.js';
import { listKeys } from '../token-admin/token-keys.js';
import { TYPE_CHOICES } from './commands/keys-generate.js';

const folder = await initFolder();
t.teardown(() => folder.remove());

t.test('init makes PIN files that only their owner may read, and a configuration that is right', async (t) => {
  for (const name of ['pin', 'so-pin']) t.equal(statSync(folder.file(name)).mode & 0o777, 0o600, name);
  t.not(readFileSync(folder.file('pin'), 'utf8'), readFileSync(folder.file('so-pin'), 'utf8'));
  const check = await folder.run(['check', '--json']);
  t.equal(check.code, 0, check.stderr);
  t.same(check.json().problems, []);
});

t.test('init overwrites nothing', async (t) => {
  const again = await folder.run(['init', folder.path, '--json']);
  t.equal(again.code, 8);
  t.equal(again.json().error.code, 'exists');
});

t.test('an init that fails leaves nothing behind that would stop the next', async (t) => {
  const path = folder.file('second');
  const failed = await folder.run(['init', path, '--token-label', 'x'.repeat(33)]);
  t.match(failed, { code: 2, stderr: /1 to 32 bytes/ });
  t.same(readdirSync(path).sort(), ['run', 'state']);
  t.match(await folder.run(['init', path, '--module', '/nonexistent.so']), { code: 2, stderr: /no file/ });
});

t.test('every kind of key is made in the token and shown with its public key', async (t) => {
  t.same(TYPE_CHOICES, KEY_KINDS);
  // RSA-3072 and 4096 take seconds to make and differ in a number only.
  for (const type of ['p256', 'p384', 'p521', 'rsa2048', 'ed25519']) {
    const made = await folder.run(['keys', 'generate', '--type', type, '--label', `g-${type}`, '--json']);
    t.equal(made.code, 0, made.stderr);
    t.match(made.json(), { label: `g-${type}`, type });
    const pem = (await folder.run(['keys', 'export', '--key', `g-${type}`, '--public'])).stdout;
    const { spkiSha256 } = publicKeyFromKeyObject(createPublicKey(pem));
    t.equal(made.json().spki_sha256, spkiSha256, 'the service would name it so');
    t.equal(made.json().id, spkiSha256.slice(0, 40));
  }
});

t.test('a private key is sensitive, not extractable and signs only', async (t) => {
  const config = loadConfig(folder.file('signet.yaml'));
  const [token] = config.tokens;
  if (!token) throw new Error('no token');
  await withToken(token, readPin(token), (session) => {
    for (const { privateKey, label } of listKeys(session).keys) {
      t.match(
        privateKey.getAttribute({
          sensitive: null,
          extractable: null,
          sign: null,
          decrypt: null,
          unwrap: null,
          derive: null,
        }),
        { sensitive: true, extractable: false, sign: true, decrypt: false, unwrap: false, derive: false },
        label,
      );
      t.equal(privateKey.getAttribute('private'), true);
      t.throws(() => privateKey.getAttribute('value'));
    }
  });
});

t.test('a label that exists is refused, and nothing changes', async (t) => {
  const before = (await folder.run(['keys', 'list', '--json'])).stdout;
  const again = await folder.run(['keys', 'generate', '--type', 'p256', '--label', 'g-p256', '--json']);
  t.equal(again.code, 8);
  t.equal(again.json().error.code, 'exists');
  t.match(again.stderr, /already/);
  t.equal((await folder.run(['keys', 'list', '--json'])).stdout, before);
});

const PASSPHRASE = 'correct horse';

/** PEM forms that people have: name, key, how it is written. */
function pemForms(): [string, KeyObject, string][] {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const ec = () => generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey;
  const ed = generateKeyPairSync('ed25519').privateKey;
  const forms: [string, KeyObject, object][] = [
    ['rsa-pkcs8', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, { type: 'pkcs8' }],
    ['rsa-traditional-encrypted', rsa, { type: 'pkcs1', cipher: 'aes-256-cbc', passphrase: PASSPHRASE }],
    ['ec-traditional', ec(), { type: 'sec1' }],
    ['ec-pkcs8-encrypted', ec(), { type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: PASSPHRASE }],
    ['ed25519-pkcs8', ed, { type: 'pkcs8' }],
  ];
  return forms.map(([name, key, form]) => [name, key, String(key.export({ format: 'pem', ...form } as never))]);
}

t.test('keys import takes PKCS#8 and traditional PEM, encrypted too, and says to destroy the file', async (t) => {
  writeFileSync(folder.file('passphrase'), `${PASSPHRASE}\n`, { mode: 0o600 });
  for (const [name, key, pem] of pemForms()) {
    writeFileSync(folder.file(`${name}.pem`), pem, { mode: 0o600 });
    const args = ['keys', 'import', '--in', folder.file(`${name}.pem`), '--label', name, '--json'];
    const withPassphrase = [...args, '--passphrase-file', folder.file('passphrase')];
    const made = await folder.run(name.endsWith('encrypted') ? withPassphrase : args);
    t.equal(made.code, 0, `${name}: ${made.stderr}`);
    t.match(made.stderr, /destroy every copy/);
    t.equal(made.json().spki_sha256, publicKeyFromKeyObject(key).spkiSha256);
    const twice = await folder.run([...withPassphrase.slice(0, 5), `${name}-2`, ...withPassphrase.slice(6)]);
    t.equal(twice.code, 8, 'the same key under another label is refused');
  }
});

t.test('keys import says what is wrong with a file and never what is in it', async (t) => {
  const secret = 'c2VjcmV0LWJ5dGVz';
  const broken = `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`;
  const run = await folder.run(['keys', 'import', '--in', '-', '--label', 'x', '--json'], broken);
  t.equal(run.code, 2);
  t.notMatch(run.stdout + run.stderr, secret);
  const encrypted = ['keys', 'import', '--in', folder.file('ec-pkcs8-encrypted.pem'), '--label', 'x'];
  t.match(await folder.run(encrypted), { code: 2, stderr: /--passphrase-file/ });
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ format: 'pem', type: 'pkcs8' });
  t.match(await folder.run(['keys', 'import', '--in', '-', '--label', 'x'], small), { code: 2, stderr: /1024 bits/ });
});

t.test('keys delete only says what it would do, until --yes', async (t) => {
  const key = 'ec-traditional';
  t.match(await folder.run(['keys', 'delete', '--key', key]), { code: 2, stderr: /nothing was done. Add --yes/ });
  await folder.run(['certs', 'self-sign', '--key', key, '--dns', 'a.example']);
  const gone = await folder.run(['keys', 'delete', '--key', key, '--yes', '--json']);
  t.match(gone.json(), { label: key, objects_deleted: 3 });
  t.match(await folder.run(['keys', 'delete', '--key', key, '--yes']), { code: 7, stderr: /no key/ });
  t.notMatch((await folder.run(['keys', 'list'])).stdout, key);
});

t.test('a key is named by label, id or SPKI SHA-256', async (t) => {
  const { keys } = (await folder.run(['keys', 'list', '--json'])).json();
  const [{ label, id, spki_sha256 }] = keys;
  for (const name of [label, `label:${label}`, `id:${id}`, `spki:${spki_sha256.toUpperCase()}`]) {
    const run = await folder.run(['keys', 'export', '--public', '--json', '--key', name]);
    t.equal(run.json().spki_sha256, spki_sha256, name);
  }
  t.match(await folder.run(['keys', 'export', '--public', '--key', 'spki:12']), { code: 2 });
});

t.test(
  'keys export says that no private key leaves, and its reference holds the public key and the label',
  async (t) => {
    const run = await folder.run(['keys', 'export', '--key', 'g-p256', '--reference']);
    t.match(run, { code: 0, stdout: /^-----BEGIN SIGNET KEY REFERENCE-----\n/, stderr: /exports no private key data/ });
    t.match(await folder.run(['keys', 'export', '--key', 'g-p256']), { code: 2, stderr: /--reference or --public/ });
    t.match(await folder.run(['keys', 'export', '--key', 'g-p256', '--public', '--reference']), { code: 2 });
    const second = await folder.run(['keys', 'export', '--key', 'g-p256', '--form', 'pkcs8']);
    t.match(second, { code: 0, stdout: /^-----BEGIN PRIVATE KEY-----\n/, stderr: /exports no private key data/ });
    t.match(await folder.run(['keys', 'export', '--key', 'g-p256', '--rsa-pss']), { code: 2, stderr: /RSA key/ });
    t.match(await folder.run(['keys', 'export', '--help']), { stdout: /holds\s+no\s+private\s+key/ });
  },
);

t.test('without a running service what needs it says so', async (t) => {
  for (const args of [['status'], ['keys', 'disable', '--key', 'g-p256'], ['keys', 'list', '--service']]) {
    const run = await folder.run([...args, '--json']);
    t.equal(run.code, 4, args.join(' '));
    t.match(run.json().error, { code: 'unreachable', message: /not running/ });
  }
});

t.test('a socket that nobody listens on any more is as good as none', async (t) => {
  writeFileSync(folder.file('run/admin.sock'), '');
  const run = await folder.run(['status', '--json']);
  const made = await folder.run(['keys', 'generate', '--type', 'p256', '--label', 'stale']);
  rmSync(folder.file('run/admin.sock'));
  t.equal(run.code, 4);
  t.equal(run.json().error.code, 'unreachable');
  t.match(made, { code: 0, stderr: /no running service was told/ });
});

t.test('SIGNET_CONFIG names the configuration file, and --config counts more', async (t) => {
  const env = { SIGNET_CONFIG: folder.file('signet.yaml') };
  t.match(await signet(['check'], '', env), { code: 0 });
  t.match(await signet(['check', '--config', '/nonexistent.yaml'], '', env), { code: 3 });
});

t.test('a wrong configuration is told with line and column', async (t) => {
  const text = readFileSync(folder.file('signet.yaml'), 'utf8');
  writeFileSync(folder.file('wrong.yaml'), text.replace('signers: 2', 'signers: many'));
  const run = await signet(['check', folder.file('wrong.yaml'), '--json']);
  t.equal(run.code, 3);
  t.match(run.json().error, { code: 'configuration', problems: [/^wrong\.yaml:\d+:\d+: tokens\[0\]\.signers: /] });
});

t.test('a PIN file that others may read is refused as a fault of the configuration', async (t) => {
  chmodSync(folder.file('pin'), 0o644);
  const run = await folder.run(['keys', 'list']);
  chmodSync(folder.file('pin'), 0o600);
  t.match(run, { code: 3, stderr: /chmod 600/ });
});

t.test('a wrong PIN is tried once and told', async (t) => {
  const pin = readFileSync(folder.file('pin'));
  writeFileSync(folder.file('pin'), 'wrong-pin\n');
  const run = await folder.run(['keys', 'list', '--json']);
  writeFileSync(folder.file('pin'), pin);
  t.match(run, { code: 6, stderr: /the PIN is wrong/ });
  t.notMatch(run.stdout + run.stderr, /wrong-pin/);
});
