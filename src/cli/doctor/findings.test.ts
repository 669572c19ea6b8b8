import { execFileSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { publicKeyFromKeyObject } from '../../public-key.js';
import { writeReferencePem } from '../../reference-pem.js';
import { lookAtPair } from './certificate-findings.js';
import { CHECKS } from './finding.js';
import { nginxPairs } from './nginx-pairs.js';
import { lookAtOpensslConf } from './provider-findings.js';
import { referencesIn } from './references-in.js';
import { lookAtMode, lookAtSocket } from './socket-findings.js';

const folder = mkdtempSync(join(tmpdir(), 'signet-doctor-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

interface Conf {
  readonly order?: readonly string[];
  readonly default?: string;
  readonly module?: string;
  readonly activate?: string;
}

function conf(wish: Conf = {}): string {
  const order = wish.order ?? ['default', 'signet'];
  writeFileSync(at('module.so'), '');
  writeFileSync(
    at('openssl.cnf'),
    `openssl_conf = init # the first
[init]
providers = list
[ list ]
${order.map((name) => `${name} = ${name}_section`).join('\n')}
[default_section]
${wish.default ?? 'activate = 1'}
[signet_section]
module = ${wish.module ?? at('module.so')}
${wish.activate ?? 'activate = 1'}
sockets = /a.sock:/b.sock
`,
  );
  return at('openssl.cnf');
}

t.test('an openssl.cnf that is right has no fault and names its sockets', async (t) => {
  const { findings, sockets } = lookAtOpensslConf(conf());
  t.ok(findings.every(({ level }) => level === 'ok'));
  t.same(sockets, ['/a.sock', '/b.sock']);
});

t.test('module-path: a module that is not there, not activated, or not named', async (t) => {
  const [missing] = lookAtOpensslConf(conf({ module: '/nonexistent/signet.so' })).findings;
  t.match(missing, { check: 'module-path', level: 'fault', says: '/nonexistent/signet.so', remedy: /module =/ });
  const [asleep] = lookAtOpensslConf(conf({ activate: '' })).findings;
  t.match(asleep, { check: 'module-path', level: 'fault', says: /does not activate/ });
  const [without] = lookAtOpensslConf(conf({ order: ['default'] })).findings;
  t.match(without, { check: 'module-path', level: 'fault', says: /loads neither/, remedy: /signet config openssl/ });
  const [unread] = lookAtOpensslConf(at('nothing.cnf')).findings;
  t.match(unread, { check: 'module-path', level: 'fault', says: /cannot be read/ });
});

t.test('default-provider: default is not active', async (t) => {
  const inactive = lookAtOpensslConf(conf({ default: '' })).findings;
  t.match(inactive[1], {
    check: 'default-provider',
    level: 'fault',
    says: /does not activate/,
    remedy: /activate = 1/,
  });
  const unnamed = lookAtOpensslConf(conf({ order: ['signet'] })).findings;
  t.match(unnamed[1], { check: 'default-provider', level: 'fault', says: /does not name/ });
});

t.test('provider-order: signet before default', async (t) => {
  const [, , order] = lookAtOpensslConf(conf({ order: ['signet', 'default'] })).findings;
  t.match(order, { check: 'provider-order', level: 'warning', remedy: /default/ });
});

t.test(
  'what an openssl.cnf includes counts, and what comes later stands in the place of what was before',
  async (t) => {
    const inner = conf({ order: ['signet', 'default'] });
    writeFileSync(
      at('outer.cnf'),
      `.include ${inner}\n[default]\nopenssl_conf = own\n[own]\nproviders = mine\n[mine]\ndefault = default_section\nsignet = signet_section\n`,
    );
    t.ok(lookAtOpensslConf(at('outer.cnf')).findings.every(({ level }) => level === 'ok'));
  },
);

function engineConf(library: string, more: string): string {
  const list = '[init]\nengines = list\n[list]\nsignet = engine\n[engine]\nengine_id = signet';
  writeFileSync(
    at('engine.cnf'),
    `openssl_conf = init\n${list}\ndynamic_path = ${library}\nSOCKETS = /a.sock\n${more}\n`,
  );
  return at('engine.cnf');
}

t.test(
  'an openssl.cnf with the engine alone is looked at as well, and engine-init: NGINX does not do it',
  async (t) => {
    writeFileSync(at('engine.so'), '');
    const { findings, sockets } = lookAtOpensslConf(engineConf(at('engine.so'), 'init = 1'));
    t.ok(findings.every(({ level }) => level === 'ok'));
    t.same(sockets, ['/a.sock']);
    const wrong = lookAtOpensslConf(engineConf('/nonexistent/signet.so', '')).findings;
    t.match(wrong[0], { check: 'module-path', level: 'fault', says: '/nonexistent/signet.so' });
    t.match(wrong[1], { check: 'engine-init', level: 'fault', remedy: /init = 1/ });
  },
);

t.test('socket: none, a file, and one that nobody listens on', async (t) => {
  t.match(await lookAtSocket(at('none.sock')), {
    check: 'socket',
    level: 'fault',
    says: /no socket/,
    remedy: /signet serve/,
  });
  writeFileSync(at('file'), '');
  t.match(await lookAtSocket(at('file')), { check: 'socket', level: 'fault', says: /is no socket/ });
  const path = at('live.sock');
  const server = createServer().listen(path);
  await new Promise((resolve) => server.once('listening', resolve));
  t.match(await lookAtSocket(path), { level: 'ok' });
  const dead = at('dead.sock');
  const program = `require('net').createServer().listen(${JSON.stringify(dead)}, () => process.kill(process.pid, 'SIGKILL'))`;
  t.throws(() => execFileSync(process.execPath, ['-e', program], { stdio: 'ignore' }));
  t.match(await lookAtSocket(dead), {
    check: 'socket',
    level: 'fault',
    says: /nobody answers/,
    remedy: /start the service/,
  });
  server.close();
});

t.test("socket-mode: what keeps a server's user out, in the socket and on the way to it", async (t) => {
  mkdirSync(at('way'));
  const path = at('way/web.sock');
  writeFileSync(path, '');
  chmodSync(path, 0o660);
  chmodSync(folder, 0o755);
  chmodSync(at('way'), 0o755);
  const stranger = { uid: 4_000, gids: [4_000] };
  t.match(lookAtMode(path, stranger, 'nginx'), { check: 'socket-mode', level: 'fault', says: /0660/, remedy: /4000/ });
  chmodSync(path, 0o666);
  t.match(lookAtMode(path, stranger, 'nginx'), { level: 'ok' });
  chmodSync(at('way'), 0o700);
  t.match(lookAtMode(path, stranger, 'nginx'), { level: 'fault', says: /may not enter/, remedy: /chmod/ });
  t.equal(lookAtMode(path, { uid: 0, gids: [0] }, 'nginx'), undefined, 'root may do all');
});

function certificate(t: Test, name: string): { certificate: string; keyFile: string } {
  const [certificate, genuine, keyFile] = [at(`${name}.crt`), at(`${name}.genuine`), at(`${name}.key`)];
  const subject = ['-subj', '/CN=x', '-days', '90', '-keyout', genuine, '-out', certificate];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject],
    { stdio: 'ignore' },
  );
  const key = publicKeyFromKeyObject(createPublicKey(readFileSync(genuine)));
  writeFileSync(keyFile, writeReferencePem(key, name));
  t.same(referencesIn(readFileSync(keyFile, 'utf8')), [key.spki]);
  return { certificate, keyFile };
}

const DAY_MS = 86_400_000;

t.test('certificate-key: a certificate of another key, and files that are neither', async (t) => {
  const [one, other] = [certificate(t, 'one'), certificate(t, 'other')];
  const now = Date.now();
  t.match(lookAtPair({ ...one, place: '' }, now), [{ check: 'certificate-key', level: 'ok' }, { level: 'ok' }]);
  const genuine = { certificate: one.certificate, keyFile: at('one.genuine'), place: '' };
  t.match(lookAtPair(genuine, now)[0], { level: 'ok' }, 'a genuine key is a key too');
  const wrong = { certificate: one.certificate, keyFile: other.keyFile, place: 'nginx.conf' };
  t.match(lookAtPair(wrong, now)[0], {
    check: 'certificate-key',
    level: 'fault',
    says: /nginx\.conf/,
    remedy: /keys export/,
  });
  t.match(lookAtPair({ ...one, keyFile: at('nothing'), place: '' }, now)[0], {
    level: 'fault',
    says: /no key can be read/,
  });
  t.match(lookAtPair({ ...one, certificate: one.keyFile, place: '' }, now)[0], {
    level: 'fault',
    says: /no certificate/,
  });
});

t.test('expiry: past, soon, and not yet', async (t) => {
  const pair = { ...certificate(t, 'old'), place: '' };
  const on = (days: number) => lookAtPair(pair, Date.now() + days * DAY_MS)[1];
  t.match(on(10), { check: 'expiry', level: 'ok' });
  t.match(on(70), { check: 'expiry', level: 'warning', says: /in \d+ days/, remedy: /renew/ });
  t.match(on(91), { check: 'expiry', level: 'fault', says: /expired/, remedy: /renew/ });
  t.match(on(-2), { check: 'expiry', level: 'fault', says: /not valid before/ });
});

t.test("the pairs of NGINX's configuration are found, with those of what it includes", async (t) => {
  mkdirSync(at('conf.d'));
  writeFileSync(
    at('nginx.conf'),
    `http { # ssl_certificate comment.crt;
  include conf.d/*.conf; include "${at('absent')}/*.conf";
  server { ssl_certificate a.crt; ssl_certificate_key a.key; ssl_certificate b.crt; ssl_certificate_key "engine:signet:b"; }
  server { ssl_certificate c.crt; ssl_certificate_key $key; }
}`,
  );
  writeFileSync(
    at('conf.d/up.conf'),
    `location / { proxy_ssl_certificate /d.crt; proxy_ssl_certificate_key '/d.key'; }`,
  );
  t.same(nginxPairs(at('nginx.conf')), [
    { certificate: '/d.crt', keyFile: '/d.key', place: at('conf.d/up.conf') },
    { certificate: at('a.crt'), keyFile: at('a.key'), place: at('nginx.conf') },
  ]);
});

t.test('docs/cli.md tells of every check', async (t) => {
  const page = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
  for (const check of CHECKS) t.match(page, `\`${check}\``);
});
