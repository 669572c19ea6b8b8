import { createHash } from 'node:crypto';
import t from 'tap';
import { signet } from '../../test/fixtures/command-line.js';
import { apiKeySha256 } from '../api-key.js';

t.test('a new key stands on stdout alone, and on stderr what the configuration needs of it', async (t) => {
  const { code, stdout, stderr } = await signet(['clients', 'add', 'reports']);
  t.equal(code, 0);
  t.match(stdout, /^signet_[\w-]{43}\n$/);
  const bytes = Buffer.from(stdout.trim().slice('signet_'.length), 'base64url');
  t.equal(bytes.length, 32);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  t.match(stderr, `  - { name: reports, api_key_sha256: ${sha256} }\n`);
  t.notMatch(stderr, stdout.trim());
  t.not((await signet(['clients', 'add', 'reports'])).stdout, stdout, 'another each time');
});

t.test('with --json both are in the result', async (t) => {
  const { api_key, principal } = (await signet(['clients', 'add', 'reports', '--json'])).json();
  t.same(principal, { name: 'reports', api_key_sha256: apiKeySha256(api_key) });
});

t.test('a name that no principal can have is a usage error, and no key is made', async (t) => {
  const run = await signet(['clients', 'add', 'Re ports']);
  t.match(run, { code: 2, stdout: '', stderr: /expected a name of 1 to 64/ });
});
