import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { signet } from '../../test/fixtures/command-line.js';
import { ecKey, tls12Server, tls13 } from '../../test/tls-messages.js';
import { KeyType } from '../gen/signet/v1/keys.js';
import { writeCatalogue } from '../keys/catalogue-file.js';
import { publicPem } from './key-facts.js';

const folder = mkdtempSync(join(tmpdir(), 'signet-policy-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);
const { publicKey } = ecKey();

writeFileSync(
  file('signet.yaml'),
  `version: 1
tokens: [{ name: main, module: m.so, token_label: t, pin_file: pin }]
sockets: [{ role: web, path: web.sock }]
admin: { path: admin.sock }
catalogue_file: catalogue
state_dir: state
principals:
  - { name: nginx, socket: { role: web, uid: 33 } }
  - { name: other, socket: { role: web } }
keys:
  - { key: "label:modern", tls13_only: true }
grants:
  - { principal: nginx, keys: ["label:old"], uses: [digest] }
  - { principal: nginx, keys: ["label:www"], uses: [tls13-server], expires: "2020-01-01T00:00:00Z" }
  - principal: nginx
    keys: ["label:www", "label:modern"]
    uses: [tls13-server, tls12-server]
`,
);
writeCatalogue(file('catalogue'), [
  {
    label: 'www',
    id: Buffer.of(1),
    spkiSha256: Buffer.from(publicKey.spkiSha256, 'hex'),
    type: KeyType.KEY_TYPE_EC,
    bits: 256,
    publicKeyDer: publicKey.spki,
    certificateChain: [],
    schemes: [],
  },
]);
writeFileSync(file('public.pem'), publicPem(publicKey));
writeFileSync(file('tls13'), tls13('server'));
writeFileSync(file('tls12-p521'), tls12Server('secp521r1'));

const test = (...args: string[]) =>
  signet(['--config', file('signet.yaml'), 'policy', 'test', '--principal', 'nginx', '--key', 'label:www', ...args]);

t.test('a use that is given is told with the grant and its line', async (t) => {
  const allowed = 'with ecdsa_secp256r1_sha256, by grants[2] (signet.yaml:15:5)\n';
  t.match(await test('--use', 'tls13-server'), { code: 0, stdout: `allowed: tls13-server ${allowed}` });
  t.match(await test('--message', file('tls13')), { code: 0, stdout: `allowed: tls13-server ${allowed}` });
  t.equal((await test()).stdout, `allowed: tls13-server ${allowed}allowed: tls12-server ${allowed}`);
  const run = await test('--use', 'tls13-server', '--json');
  t.same(run.json().given, [
    { use: 'tls13-server', scheme: 'ecdsa_secp256r1_sha256', grant: 2, place: 'signet.yaml:15:5' },
  ]);
});

t.test('what is refused is exit 5, with what is in the way of each grant', async (t) => {
  const csr = await test('--use', 'csr');
  t.match(csr, { code: 5, stdout: '' });
  t.match(csr.stderr, /refused: csr for "nginx"/);
  t.match(csr.stderr, /grants\[2\] \(signet.yaml:15:5\) does not give this use/);
  t.match(await test('--message', file('tls12-p521')), { code: 5, stderr: /refused: a message that shows no use/ });
  const other = await test('--principal', 'other', '--json');
  t.equal(other.code, 5);
  t.match(other.json().error, { code: 'refused', message: /no grant names them both/ });
});

t.test('an expired grant gives nothing and is told as such', async (t) => {
  const config = file('expired.yaml');
  writeFileSync(
    config,
    readFileSync(file('signet.yaml'), 'utf8').replace('"label:www", "label:modern"', '"label:modern"'),
  );
  const run = await test('--use', 'tls13-server', '--config', config);
  t.match(run, { code: 5, stderr: /grants\[1\] \(expired.yaml:14:5\) has expired/ });
});

t.test('a public key in a file does without a catalogue, and marks are told', async (t) => {
  const modern = ['--key', 'label:modern', '--spki', file('public.pem')];
  t.match(await test(...modern, '--use', 'tls13-server'), { code: 0 });
  t.match(await test(...modern, '--use', 'tls12-server'), { code: 5, stderr: /marked tls13_only/ });
  t.match(await test('--key', `spki:${'0'.repeat(64)}`, '--spki', file('public.pem')), { code: 2 });
});

t.test('a principal, a key or a scheme that there is not is told', async (t) => {
  t.match(await test('--principal', 'ngnix'), { code: 2, stderr: /expected one of nginx, other; "ngnix" came/ });
  t.match(await test('--key', 'label:none'), { code: 7, stderr: /no key "none"/ });
  t.match(await test('--scheme', 'ed25519'), { code: 2, stderr: /this key signs with ecdsa_secp256r1_sha256/ });
  t.match(await test('--use', 'csr', '--message', file('tls13')), { code: 2 });
});
