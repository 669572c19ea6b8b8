import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { initFolder } from '../../test/fixtures/command-line.js';

const folder = await initFolder();
t.teardown(() => folder.remove());
const openssl = (args: string[], input?: string) =>
  execFileSync('openssl', args, { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'pipe'] });

const TYPES = ['p256', 'p384', 'p521', 'rsa2048', 'ed25519'];
const SIGNATURE: Readonly<Record<string, string>> = {
  p256: 'ecdsa-with-SHA256',
  p384: 'ecdsa-with-SHA384',
  p521: 'ecdsa-with-SHA512',
  rsa2048: 'sha256WithRSAEncryption',
  ed25519: 'ED25519',
};

t.before(async () => {
  for (const type of [...TYPES, 'p256 leaf']) {
    const [kind = '', label = kind] = type.split(' ');
    const made = await folder.run(['keys', 'generate', '--type', kind, '--label', label]);
    if (made.code !== 0) throw new Error(made.stderr);
  }
});

t.test('a request of every kind of key verifies in OpenSSL and carries the names', async (t) => {
  for (const type of TYPES) {
    const args = ['certs', 'csr', '--key', type, '--subject', 'CN=a b,O=Ö', '--dns', '*.example.org', '--ip', '::1'];
    const { code, stdout, stderr } = await folder.run(args);
    t.equal(code, 0, stderr);
    const text = openssl(['req', '-verify', '-noout', '-text', '-nameopt', 'utf8'], stdout);
    t.match(text, new RegExp(`Signature Algorithm: ${SIGNATURE[type]}`));
    t.match(text, /DNS:\*\.example\.org, IP Address:0:0:0:0:0:0:0:1/);
    t.match(text, /Subject:.*a b/);
  }
});

t.test('a CA key of every kind issues a leaf that OpenSSL accepts strictly', async (t) => {
  for (const type of TYPES) {
    const ca = folder.file(`ca-${type}.pem`);
    const chain = folder.file(`chain-${type}.pem`);
    const subject = `CN=CA ${type},O=Test`;
    t.match(await folder.run(['certs', 'self-sign', '--ca', '--key', type, '--subject', subject, '--out', ca]), {
      code: 0,
    });
    const names = ['--dns', 'www.example.org', '--ip', '127.0.0.1'];
    const made = await folder.run(['certs', 'issue', '--ca', type, '--key', 'leaf', ...names, '--out', chain]);
    t.equal(made.code, 0, made.stderr);
    t.match(
      openssl([
        'verify',
        '-x509_strict',
        '-purpose',
        'sslserver',
        '-verify_hostname',
        'www.example.org',
        '-CAfile',
        ca,
        chain,
      ]),
      /: OK/,
    );
    const text = openssl(['x509', '-in', chain, '-noout', '-text']);
    t.match(text, new RegExp(`Signature Algorithm: ${SIGNATURE[type]}`));
    t.match(text, /Basic Constraints: critical\s+CA:FALSE/);
    t.match(text, /Key Usage: critical\s+Digital Signature\n/);
    t.match(text, /TLS Web Server Authentication, TLS Web Client Authentication/);
    t.match(text, /Authority Key Identifier/);
    t.equal((await folder.run(['certs', 'export', '--key', 'leaf'])).stdout, readFileSync(chain, 'utf8'));
    t.equal(readFileSync(chain, 'utf8').match(/BEGIN CERTIFICATE/g)?.length, 1, 'a root is not sent to clients');
  }
});

t.test('a serial number is positive, 20 bytes long and new each time; validity begins 5 minutes ago', async (t) => {
  const serials = new Set<string>();
  for (let i = 0; i < 4; i++) {
    const { certificates } = (
      await folder.run(['certs', 'self-sign', '--key', 'leaf', '--dns', 'x.example', '--json'])
    ).json();
    const [{ serial, not_before, not_after }] = certificates;
    t.match(serial, /^[4-7][0-9a-f]{39}$/);
    serials.add(serial);
    const ageS = (Date.now() - Date.parse(not_before)) / 1000;
    t.ok(ageS >= 299 && ageS < 400, `${ageS} s`);
    t.equal(Math.round((Date.parse(not_after) - Date.now()) / 86_400_000), 365);
  }
  t.equal(serials.size, 4);
});

t.test('a chain from elsewhere is imported to its key, whole, and comes out again without the root', async (t) => {
  const csr = (await folder.run(['certs', 'csr', '--key', 'leaf', '--dns', 'up.example'])).stdout;
  const { chain, root } = outsideChain(csr);
  writeFileSync(folder.file('outside.pem'), chain + root);
  const imported = await folder.run(['certs', 'import', '--in', folder.file('outside.pem'), '--json']);
  t.equal(imported.code, 0, imported.stderr);
  t.equal(imported.json().label, 'leaf');
  t.equal((await folder.run(['certs', 'export', '--key', 'leaf'])).stdout, chain);
});

t.test('a chain that does not fit is refused and changes nothing', async (t) => {
  const before = (await folder.run(['certs', 'export', '--key', 'leaf'])).stdout;
  const csr = (await folder.run(['certs', 'csr', '--key', 'leaf', '--dns', 'up.example'])).stdout;
  const { chain, root } = outsideChain(csr);
  const [leaf = '', middle = ''] = chain.match(/-----BEGIN[\s\S]*?END CERTIFICATE-----\n/g) ?? [];
  t.match(await folder.run(['certs', 'import', '--in', '-'], leaf + root), { code: 2, stderr: /did not sign/ });
  t.match(await folder.run(['certs', 'import', '--in', '-'], middle + root), { code: 7, stderr: /no key/ });
  t.match(await folder.run(['certs', 'import', '--in', '-'], 'nothing'), { code: 2, stderr: /does not parse/ });
  t.equal((await folder.run(['certs', 'export', '--key', 'leaf'])).stdout, before);
});

t.test('a key without a CA certificate issues nothing', async (t) => {
  const issue = (ca: string, ...more: string[]) =>
    folder.run(['certs', 'issue', '--ca', ca, '--key', 'p384', '--dns', 'x.example', ...more]);
  await folder.run(['certs', 'self-sign', '--key', 'leaf', '--dns', 'x.example']);
  t.match(await issue('leaf'), { code: 2, stderr: /expected a CA certificate/ });
  t.match(await issue('p256', '--days', '36500'), { code: 2, stderr: /may not outlive its CA/ });
  t.match(await issue('nobody'), { code: 7 });
  t.match(await issue('p256', '--dns', 'two words'), { code: 2, stderr: /expected a DNS name/ });
  t.match(await issue('p256', '--ip', '300.1.1.1'), { code: 2, stderr: /expected an IPv4 or IPv6 address/ });
  t.match(await issue('p256', '--days', '0'), { code: 2 });
});

/** A root and an intermediate made by OpenSSL, and a leaf for the request. */
function outsideChain(csr: string): { chain: string; root: string } {
  const at = (name: string) => folder.file(`outside-${name}`);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const ca = ['-addext', 'basicConstraints=critical,CA:true'];
  openssl(['req', '-x509', ...newKey, '-keyout', at('root.key'), '-out', at('root.pem'), '-subj', '/CN=Root', ...ca]);
  const rootCa = ['-CA', at('root.pem'), '-CAkey', at('root.key')];
  openssl([
    'req',
    '-x509',
    ...newKey,
    ...rootCa,
    '-keyout',
    at('middle.key'),
    '-out',
    at('middle.pem'),
    '-subj',
    '/CN=Middle',
    ...ca,
  ]);
  const middleCa = ['-CA', at('middle.pem'), '-CAkey', at('middle.key'), '-CAcreateserial'];
  const leaf = openssl(['x509', '-req', ...middleCa, '-copy_extensions', 'copy'], csr);
  return { chain: leaf + readFileSync(at('middle.pem'), 'utf8'), root: readFileSync(at('root.pem'), 'utf8') };
}
