import { randomBytes } from 'node:crypto';
import t from 'tap';
import { type PolicyWish, testPolicy, useOf } from '../../test/fixtures/policy.js';
import { algorithm, csr, ecKey, tls12Client, tls12Server, tls13 } from '../../test/tls-messages.js';
import type { UnixCaller } from '../caller.js';
import type { ServedKey } from '../keys/served-key.js';
import { USES, type Use } from '../sign-job.js';
import type { Policy } from './policy.js';

const own = ecKey();
const ECDSA = algorithm('ecdsa_secp256r1_sha256');
const served: ServedKey = { key: own.publicKey, label: 'www', id: '0a', certificateChain: [], tokens: ['main'] };

const grant = (uses: Use[], more: object = {}) => ({ principal: 'nginx', keys: ['*'], uses, ...more });
const PRINCIPALS: NonNullable<PolicyWish['principals']> = [
  { name: 'nginx', socket: { role: 'web', uid: 33 } },
  { name: 'team', socket: { role: 'web', gid: 100 } },
  { name: 'anyone', socket: { role: 'web' } },
  { name: 'billing', certificate: 'DNS:billing.example.com' },
];
const policyOf = (...grants: object[]): Policy => testPolicy({ principals: PRINCIPALS, grants }).policy;

const MESSAGES: Record<Use, Buffer> = {
  'tls13-server': tls13('server'),
  'tls13-client': tls13('client'),
  'tls12-server': tls12Server('x25519'),
  'tls12-client': tls12Client(),
  csr: csr(own.privateKey, '-subj', '/CN=www.example.com'),
  digest: Buffer.from('anything else'),
};

t.test('each use admits its own message and no other', async (t) => {
  for (const granted of USES) {
    const policy = policyOf(grant([granted]));
    for (const [shown, message] of Object.entries(MESSAGES)) {
      const expected = granted === 'digest' || shown === granted ? granted : undefined;
      t.equal(useOf(policy, 'nginx', served, ECDSA, message, false), expected, `${granted} granted, ${shown} asked`);
    }
  }
});

t.test('a digest needs the use "digest", whatever it looks like', async (t) => {
  const all = USES.filter((use) => use !== 'digest');
  for (const message of [randomBytes(32), ...Object.values(MESSAGES)]) {
    t.equal(useOf(policyOf(grant(all)), 'nginx', served, ECDSA, message, true), undefined);
    t.equal(useOf(policyOf(grant([...USES])), 'nginx', served, ECDSA, message, true), 'digest');
  }
});

t.test('the use that a message shows counts before "digest"', async (t) => {
  const policy = policyOf(grant([...USES]));
  for (const [shown, message] of Object.entries(MESSAGES))
    t.equal(useOf(policy, 'nginx', served, ECDSA, message, false), shown);
  t.equal(useOf(policyOf(grant(['csr', 'digest'])), 'nginx', served, ECDSA, MESSAGES['tls13-server'], false), 'digest');
});

t.test('what no grant gives is refused', async (t) => {
  const policy = policyOf(grant(['tls13-server']));
  for (const principal of ['team', 'anyone', 'billing', 'nobody', '', '__proto__', 'constructor']) {
    t.equal(useOf(policy, principal, served, ECDSA, MESSAGES['tls13-server'], false), undefined, principal);
    t.equal(policy.mayUse(principal, served), false);
  }
  t.equal(useOf(policyOf(), 'nginx', served, ECDSA, MESSAGES['tls13-server'], false), undefined, 'no grants at all');
  t.equal(policyOf().mayUse('nginx', served), false);
});

t.test('a key is named by label, id, SPKI SHA-256 or all, exactly', async (t) => {
  const fits = ['*', 'label:www', 'id:0a', `spki:${own.publicKey.spkiSha256}`];
  const fitsNot = [
    'label:ww',
    'label:WWW',
    'label:www2',
    'label:*',
    'id:0a0a',
    `spki:${'0'.repeat(64)}`,
    'label:0a',
    'id:00',
  ];
  for (const name of fits)
    t.equal(policyOf(grant(['csr'], { keys: ['label:other', name] })).mayUse('nginx', served), true, name);
  for (const name of fitsNot) t.equal(policyOf(grant(['csr'], { keys: [name] })).mayUse('nginx', served), false, name);
});

t.test('grants of one principal add up', async (t) => {
  const policy = policyOf(
    grant(['csr']),
    grant(['tls13-server']),
    grant(['digest'], { principal: 'team' }),
    grant(['tls12-client'], { keys: ['label:x'] }),
  );
  const given = USES.filter((use) => useOf(policy, 'nginx', served, ECDSA, MESSAGES[use], false) === use);
  t.same(given, ['tls13-server', 'csr']);
});

t.test('tls12-server admits the groups of the grants that give it, and only of those', async (t) => {
  const p521 = tls12Server('secp521r1');
  t.equal(useOf(policyOf(grant(['tls12-server'])), 'nginx', served, ECDSA, p521, false), undefined);
  const other = grant(['csr'], { tls12_groups: ['secp521r1'] });
  t.equal(useOf(policyOf(grant(['tls12-server']), other), 'nginx', served, ECDSA, p521, false), undefined);
  const wide = grant(['tls12-server'], { tls12_groups: ['secp521r1'] });
  t.equal(useOf(policyOf(wide), 'nginx', served, ECDSA, p521, false), 'tls12-server');
  t.equal(useOf(policyOf(wide), 'nginx', served, ECDSA, MESSAGES['tls12-server'], false), undefined);
});

t.test('a key that comes back with another label is judged anew', async (t) => {
  const policy = policyOf(grant(['csr'], { keys: ['label:www'] }));
  t.equal(policy.mayUse('nginx', served), true);
  t.equal(policy.mayUse('nginx', { ...served, label: 'retired' }), false);
  t.equal(policy.mayUse('nginx', served), true);
});

t.test(
  'a caller on a socket is known by its role, user and group; the first principal that matches counts',
  async (t) => {
    const policy = policyOf();
    const caller = (role: string, uid: number, gid: number): UnixCaller => ({ kind: 'unix', role, uid, gid, pid: 1 });
    t.equal(policy.identify(caller('web', 33, 100)), 'nginx');
    t.equal(policy.identify(caller('web', 34, 100)), 'team');
    t.equal(policy.identify(caller('web', 0, 0)), 'anyone', 'root is nobody special');
    t.equal(policy.identify(caller('apps', 33, 100)), undefined);
    t.equal(policy.identify(caller('DNS:billing.example.com', 33, 33)), undefined);
  },
);

t.test('a caller with a certificate is known by a name that stands in it exactly', async (t) => {
  const identify = (...names: string[]) => policyOf().identify({ kind: 'certificate', names, remote: '' });
  t.equal(identify('CN:x', 'DNS:billing.example.com'), 'billing');
  for (const name of [
    'DNS:BILLING.example.com',
    'CN:billing.example.com',
    'DNS:*.example.com',
    'DNS:billing.example.com.',
    'DNS:billing.example.com\0',
  ]) {
    t.equal(identify(name), undefined, JSON.stringify(name));
  }
  t.equal(identify(), undefined);
});
