import { generateKeyPairSync } from 'node:crypto';
import t from 'tap';
import { decided, type PolicyWish, question, testPolicy, useOf } from '../../test/fixtures/policy.js';
import { algorithm, csr, ecKey, tls12Server, tls13 } from '../../test/tls-messages.js';
import type { ServedKey } from '../keys/served-key.js';
import { publicKeyFromKeyObject } from '../public-key.js';

const own = ecKey();
const ECDSA = algorithm('ecdsa_secp256r1_sha256');
const served = (label: string, key = own.publicKey): ServedKey => ({
  key,
  label,
  id: '0a',
  certificateChain: [],
  tokens: ['main'],
});
const www = served('www');
const socket = (role: string) => ({ role });
const grant = (uses: string[], more: object = {}) => ({ principal: 'nginx', keys: ['label:www'], uses, ...more });
const given = (wish: PolicyWish) =>
  testPolicy({
    principals: [
      { name: 'nginx', socket: socket('web') },
      { name: 'apache', socket: socket('httpd') },
    ],
    ...wish,
  });
const T0 = Date.parse('2027-01-31T12:00:00Z');

t.test('a grant to a group holds for its members and for nobody else', async (t) => {
  const { policy } = given({
    principal_groups: [{ name: 'servers', members: ['nginx', 'apache'] }],
    grants: [grant(['tls13-server'], { principal: 'group:servers' })],
  });
  t.equal(useOf(policy, 'nginx', www, ECDSA, tls13('server')), 'tls13-server');
  t.equal(useOf(policy, 'apache', www, ECDSA, tls13('server')), 'tls13-server');
  for (const other of ['servers', 'group:servers', 'billing']) {
    t.equal(useOf(policy, other, www, ECDSA, tls13('server')), undefined, other);
  }
});

t.test('a grant for a group of keys holds for its keys; no label passes for a group', async (t) => {
  const { policy } = given({
    key_groups: [{ name: 'public', keys: ['label:www', 'id:bb'] }],
    grants: [grant(['csr'], { keys: ['group:public'] })],
  });
  t.equal(policy.mayUse('nginx', www), true);
  t.equal(policy.mayUse('nginx', { ...served('other'), id: 'bb' }), true);
  t.equal(policy.mayUse('nginx', served('other')), false);
  t.equal(policy.mayUse('nginx', served('group:public')), false);
});

t.test('a grant that names schemes gives no others', async (t) => {
  const rsa = served('www', publicKeyFromKeyObject(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey));
  const { policy } = given({ grants: [grant(['tls12-server'], { schemes: ['rsa_pss_rsae_sha256'] }), grant(['csr'])] });
  t.equal(useOf(policy, 'nginx', rsa, algorithm('rsa_pss_rsae_sha256'), tls12Server('x25519')), 'tls12-server');
  t.equal(useOf(policy, 'nginx', rsa, algorithm('rsa_pss_rsae_sha384'), tls12Server('x25519')), undefined);
  t.equal(useOf(policy, 'nginx', rsa, algorithm('rsa_pkcs1_sha256'), tls12Server('x25519')), undefined);
});

t.test('a grant gives nothing from the instant of its expiry on', async (t) => {
  const { policy, clock } = given({ grants: [grant(['tls13-server'], { expires: '2027-01-31T13:00:00+01:00' })] });
  clock.ms = T0 - 1;
  t.equal(useOf(policy, 'nginx', www, ECDSA, tls13('server')), 'tls13-server');
  t.equal(policy.mayUse('nginx', www), true);
  clock.ms = T0;
  t.equal(useOf(policy, 'nginx', www, ECDSA, tls13('server')), undefined);
  t.equal(policy.mayUse('nginx', www), false);
});

t.test('a rate admits its burst at once and then its rate, for each principal by itself', async (t) => {
  const { policy, clock, tally } = given({
    principal_groups: [{ name: 'servers', members: ['nginx', 'apache'] }],
    grants: [grant(['tls13-server'], { principal: 'group:servers', rate_per_s: 10, burst: 3 })],
  });
  const sign = (principal: string) => policy.decide(principal, www, question(ECDSA, tls13('server')));
  t.same(
    [1, 2, 3].map(() => decided(sign('nginx'))),
    Array(3).fill('tls13-server'),
  );
  const over = sign('nginx');
  t.match(over?.refusal, {
    code: 'resource_exhausted',
    message: /10 signatures per second and 3 at once; retry in 100 ms/,
  });
  t.equal(decided(sign('apache')), 'tls13-server', 'another principal of the group has its own');
  clock.ms += 100;
  t.equal(decided(sign('nginx')), 'tls13-server');
  t.equal(decided(sign('nginx')), 'resource_exhausted');
  clock.ms += 60_000;
  t.same(
    [1, 2, 3, 4].map(() => decided(sign('nginx'))),
    [...Array(3).fill('tls13-server'), 'resource_exhausted'],
  );
  t.equal(tally.quotaRefusals, 3);
});

t.test('what is refused for other reasons costs no quota, and whoever has no grant is told of none', async (t) => {
  const { policy } = given({ grants: [grant(['tls13-server'], { rate_per_s: 1 })] });
  for (let i = 0; i < 5; i++) t.equal(useOf(policy, 'nginx', www, ECDSA, tls13('client')), undefined);
  t.equal(useOf(policy, 'nginx', www, ECDSA, tls13('server')), 'tls13-server');
  t.equal(useOf(policy, 'nginx', www, ECDSA, tls13('server')), 'resource_exhausted');
  t.equal(useOf(policy, 'nginx', www, ECDSA, tls13('client')), undefined, 'not "resource_exhausted"');
});

t.test('when one grant is used up, another that gives the same decides', async (t) => {
  const { policy } = given({
    grants: [grant(['tls13-server'], { rate_per_s: 1 }), grant(['csr']), grant(['tls13-server'], { rate_per_s: 1 })],
  });
  const sign = () => policy.decide('nginx', www, question(ECDSA, tls13('server')));
  t.match(sign(), { use: 'tls13-server', grant: 0 });
  t.match(sign(), { use: 'tls13-server', grant: 2 });
  t.equal(decided(sign()), 'resource_exhausted');
});

t.test('a reload leaves what is used of a quota used, also when the rate changes', async (t) => {
  const wish = (rate: number) => ({
    principals: [{ name: 'nginx', socket: socket('web') }],
    grants: [grant(['tls13-server'], { rate_per_s: rate, burst: 2 })],
  });
  const { policy, create, clock } = testPolicy(wish(1));
  const sign = (by = policy) => useOf(by, 'nginx', www, ECDSA, tls13('server'));
  t.same([sign(), sign(), sign()], ['tls13-server', 'tls13-server', 'resource_exhausted']);
  const next = create(wish(1_000));
  t.equal(sign(next), 'resource_exhausted');
  clock.ms += 1;
  t.equal(sign(next), 'tls13-server');
});

t.test('a duplicate is counted, and refused where the grant says so', async (t) => {
  for (const duplicates of ['allow', 'refuse']) {
    const { policy, tally, clock } = given({
      grants: [grant(['tls13-server', 'tls12-server', 'csr', 'digest'], { duplicates })],
    });
    const sign = (message: Buffer, more = {}) => decided(policy.decide('nginx', www, question(ECDSA, message, more)));
    const [first, second] = [tls13('server'), tls12Server('x25519')];
    const attemptId = 'ab'.repeat(16);
    t.equal(sign(first, { attemptId }), 'tls13-server');
    t.equal(sign(first, { attemptId }), 'tls13-server', 'a retry');
    t.equal(tally.duplicates, 0);
    t.equal(sign(first), duplicates === 'allow' ? 'tls13-server' : 'permission_denied', 'not as a digest either');
    t.equal(tally.duplicates, 1);
    t.equal(tally.duplicateRefusals, duplicates === 'allow' ? 0 : 1);
    t.equal(sign(second), 'tls12-server');
    const request = csr(own.privateKey, '-subj', '/CN=x');
    t.same([sign(request), sign(request)], ['csr', 'csr'], 'only what is signed for TLS');
    clock.ms += 60_000;
    t.equal(sign(first), 'tls13-server', 'after the window');
  }
});

t.test('a refused duplicate is told as such, and no other key, scheme or message is one', async (t) => {
  const { policy } = given({ grants: [grant(['tls13-server'], { keys: ['*'], duplicates: 'refuse' })] });
  const message = tls13('server');
  const sign = (key: ServedKey, scheme: string) => policy.decide('nginx', key, question(algorithm(scheme), message));
  t.equal(decided(sign(www, ECDSA.name)), 'tls13-server');
  t.equal(decided(sign(served('www', ecKey().publicKey), ECDSA.name)), 'tls13-server');
  t.equal(decided(sign(www, 'ecdsa_secp384r1_sha384')), 'tls13-server');
  for (const scheme of [ECDSA.name, 'ecdsa_secp384r1_sha384']) {
    t.match(sign(www, scheme)?.refusal, { code: 'permission_denied', message: /another attempt_id/ });
  }
  const nameless = tls13('server');
  const ask = () => decided(policy.decide('nginx', www, question(ECDSA, nameless, { attemptId: '' })));
  t.same([ask(), ask()], ['tls13-server', 'permission_denied'], 'without an attempt id nothing is a retry');
});

t.test('marks of a key take away what grants give', async (t) => {
  const all = ['tls13-server', 'tls13-client', 'tls12-server', 'tls12-client', 'csr', 'digest'];
  const marked = (mark: object) =>
    given({ keys: [{ key: 'label:www', ...mark }], grants: [grant(all, { keys: ['*'] })] }).policy;
  const uses = (policy = marked({}), key = www, scheme = ECDSA) =>
    [tls13('server'), tls12Server('x25519'), csr(own.privateKey, '-subj', '/CN=x'), Buffer.from('else')].map(
      (message) => useOf(policy, 'nginx', key, scheme, message),
    );
  t.same(uses(), ['tls13-server', 'tls12-server', 'csr', 'digest']);
  t.same(uses(marked({ tls13_only: true })), ['tls13-server', undefined, 'csr', undefined]);
  t.same(uses(marked({ ca: true })), Array(4).fill(undefined), 'a CA key has no use for callers');
  t.equal(marked({ ca: true }).mayUse('nginx', www), false);
  t.same(uses(marked({ ca: true }), served('other')), ['tls13-server', 'tls12-server', 'csr', 'digest']);
  const rsa = served('www', publicKeyFromKeyObject(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey));
  const pss = marked({ pss_only: true });
  t.equal(useOf(pss, 'nginx', rsa, algorithm('rsa_pkcs1_sha256'), tls12Server('x25519')), undefined);
  t.equal(useOf(pss, 'nginx', rsa, algorithm('rsa_pkcs1_sha256'), Buffer.alloc(32), true), undefined);
  t.equal(useOf(pss, 'nginx', rsa, algorithm('rsa_pss_rsae_sha256'), tls12Server('x25519')), 'tls12-server');
});

t.test('a key of which marks leave a principal nothing does not exist for it', async (t) => {
  const { policy } = given({
    keys: [{ key: 'label:www', tls13_only: true }],
    grants: [grant(['tls12-server', 'digest'])],
  });
  t.equal(policy.mayUse('nginx', www), false);
});

t.test('all marks that name a key add up, by group and by star too', async (t) => {
  const { policy } = given({
    key_groups: [{ name: 'modern', keys: ['label:www'] }],
    keys: [
      { key: 'group:modern', tls13_only: true },
      { key: '*', pss_only: true },
    ],
    grants: [grant(['tls13-server', 'tls12-server'], { keys: ['*'] })],
  });
  t.equal(useOf(policy, 'nginx', www, ECDSA, tls12Server('x25519')), undefined);
  t.equal(useOf(policy, 'nginx', served('other'), ECDSA, tls12Server('x25519')), 'tls12-server');
  t.equal(useOf(policy, 'nginx', served('other'), algorithm('rsa_pkcs1_sha256'), tls12Server('x25519')), undefined);
});

t.test('an API key names its principal, whatever connection it came by', async (t) => {
  const sha256 = 'cd'.repeat(32);
  const { policy } = testPolicy({
    principals: [
      { name: 'local', socket: socket('web') },
      { name: 'reports', api_key_sha256: sha256 },
    ],
  });
  const connection = { kind: 'unix' as const, role: 'web', uid: 1, gid: 1, pid: 1 };
  t.equal(policy.identify({ kind: 'api_key', sha256, connection }), 'reports');
  t.equal(
    policy.identify({ kind: 'api_key', sha256: 'ce'.repeat(32), connection }),
    undefined,
    'a wrong one is nobody',
  );
});
