import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonGeneralName } from '@peculiar/x509';
import t from 'tap';
import { TestAuthority } from '../../../test/fixtures/certificates.js';
import { certificateNames } from './certificate-names.js';

const folder = mkdtempSync(join(tmpdir(), 'signet-names-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const authority = await TestAuthority.create(folder, 'ca');

async function namesOf(subject: string, names: JsonGeneralName[]): Promise<readonly string[]> {
  const { certificateFile } = await authority.issue('subject', subject, names);
  return certificateNames(new X509Certificate(readFileSync(certificateFile)));
}

t.test('URI, DNS and CN are taken, in this order; other names are not', async (t) => {
  const names = await namesOf('C=XX, O=Org, CN=The Name', [
    { type: 'email', value: 'a@b.example' },
    { type: 'dns', value: 'a.example' },
    { type: 'ip', value: '10.0.0.1' },
    { type: 'url', value: 'spiffe://example/a' },
    { type: 'dns', value: '*.b.example' },
  ]);
  t.same(names, ['URI:spiffe://example/a', 'DNS:a.example', 'DNS:*.b.example', 'CN:The Name']);
});

t.test('a name cannot pretend to be another one', async (t) => {
  const names = await namesOf('CN=a\\, CN=admin', [
    { type: 'url', value: 'spiffe://x, DNS:admin.example' },
    { type: 'dns', value: 'a", DNS:"admin.example' },
    { type: 'dns', value: 'b\\", URI:spiffe://admin' },
    { type: 'email', value: 'x, URI:spiffe://admin' },
  ]);
  t.same(names, [
    'URI:spiffe://x, DNS:admin.example',
    'DNS:a", DNS:"admin.example',
    'DNS:b\\", URI:spiffe://admin',
    'CN:a, CN=admin',
  ]);
});

t.test('a certificate without names has none, and one with several CN has all', async (t) => {
  t.same(await namesOf('O=Org', []), []);
  t.same(await namesOf('CN=one, CN=two', []), ['CN:one', 'CN:two']);
});
