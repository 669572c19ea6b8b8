import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { checkConfig } from './check.js';
import { loadConfig } from './load.js';
import { ConfigError } from './problem.js';
import type { Config } from './schema.js';

const folder = mkdtempSync(join(tmpdir(), 'signet-config-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'signet.yaml');

const GOOD = `version: 1
tokens:
  - name: main
    module: lib/softhsm.so
    token_label: demo
    pin_file: pin
sockets:
  - { role: web, path: web.sock }
admin: { path: admin.sock }
catalogue_file: catalogue
state_dir: /var/lib/signet
principals:
  - { name: nginx, socket: { role: web, uid: 33 } }
grants:
  - { principal: nginx, keys: ["*"], uses: [tls13-server] }
`;

function load(text: string | Buffer): Config {
  writeFileSync(file, text);
  return loadConfig(file);
}

function problemsOf(text: string | Buffer): readonly string[] {
  try {
    load(text);
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return thrown.problems;
  }
  return [];
}

function withChange(from: string, to: string): readonly string[] {
  const changed = GOOD.replace(from, to);
  if (changed === GOOD) throw new Error(`"${from}" is not in the configuration`);
  return problemsOf(changed);
}

t.test('a small configuration gets its defaults and absolute paths', async (t) => {
  const config = load(GOOD);
  t.match(config, {
    tokens: [{ signers: 2, verify: 'sample', sign_hang_ms: 10_000, busy_poll_us: 0, environment: {} }],
    sockets: [{ mode: '0600', path: join(folder, 'web.sock') }],
    grpc: { unix: [], tcp: [] },
    limits: { sign_timeout_ms: 5_000, drain_timeout_ms: 4_500 },
    log: { level: 'info' },
  });
  t.equal(config.tokens[0]?.module, join(folder, 'lib/softhsm.so'));
  t.equal(config.tokens[0]?.pin_file, join(folder, 'pin'));
  t.equal(config.state_dir, '/var/lib/signet');
  t.same(config.grants[0]?.tls12_groups, ['x25519', 'secp256r1', 'secp384r1']);
});

t.test('a wrong value is told with its place, what was expected and what came', async (t) => {
  t.same(withChange('token_label: demo', 'token_label: demo\n    signers: two'), [
    'signet.yaml:6:14: tokens[0].signers: expected an integer from 1 to 64, got "two"',
  ]);
  t.same(withChange('path: web.sock', 'path: web.sock, mode: 0660'), [
    'signet.yaml:8:40: sockets[0].mode: expected an octal file mode in quotes, such as "0660", got 660',
  ]);
  t.match(withChange('[tls13-server]', '[tls13-server, tls14]'), [
    /:15:59: grants\[0\].uses\[1\]: expected one of tls13-server, .*, got "tls14"$/,
  ]);
  t.match(withChange('state_dir: /var/lib/signet', 'state_dir:'), [
    /state_dir: expected a path of 1 to 4096 characters, got null/,
  ]);
  t.match(withChange('uid: 33', 'uid: -1'), [/uid: expected an integer from 0 to 4294967294, got -1/]);
  t.match(withChange('admin: { path: admin.sock }', 'admin: here'), [
    /admin: expected a socket: a mapping of path, mode, owner, group, .*got "here"/,
  ]);
});

t.test('all problems come in one message, in the order of the file', async (t) => {
  const text = GOOD.replace('name: main', 'name: MAIN')
    .replace('version: 1', 'version: 2')
    .replace('uid: 33', 'uid: x');
  const problems = problemsOf(text);
  t.equal(problems.length, 3);
  t.match(problems, [/^signet.yaml:1:10: version/, /^signet.yaml:3:11: tokens/, /principals/]);
  t.throws(() => load(text), { name: 'ConfigError', code: 'invalid_argument', message: problems.join('; ') });
});

t.test('a missing option is told at the mapping that lacks it', async (t) => {
  t.same(withChange('    module: lib/softhsm.so\n', ''), [
    'signet.yaml:3:5: tokens[0].module: missing; expected a path of 1 to 4096 characters',
  ]);
  t.match(withChange('    token_label: demo\n', ''), [
    /:3:5: tokens\[0\]: expected exactly one of token_label, token_serial and slot$/,
  ]);
  t.match(problemsOf(''), [/:1:1: expected a configuration: a mapping of version, tokens, .*, got null/]);
});

t.test('an unknown option is told with the nearest known one, and its value is not repeated', async (t) => {
  t.same(withChange('token_label: demo', 'token_label: demo\n    signer: 2'), [
    'signet.yaml:6:5: tokens[0].signer: no such option; did you mean "signers"?',
  ]);
  t.match(withChange('version: 1', 'version: 1\ncatalog-file: x'), [
    /:2:1: catalog-file: no such option; did you mean "catalogue_file"\?/,
  ]);
  t.match(withChange('uid: 33', 'colour: red'), [/colour: no such option; known here: role, uid, gid/]);
  const [problem] = withChange('token_label: demo', 'token_label: demo\n    pin: "918273"');
  t.match(problem, /:6:5: tokens\[0\].pin: no secret stands in this file; use pin_file or pin_credential/);
  t.notMatch(problem, '918273');
});

t.test('what contradicts another option is told', async (t) => {
  t.match(withChange('principal: nginx', 'principal: ngnix'), [
    'signet.yaml:15:18: grants[0].principal: expected the name of a principal, got "ngnix"; did you mean "nginx"?',
  ]);
  t.match(withChange('role: web, uid', 'role: app, uid'), [
    /principals\[0\].socket.role: expected the role of a socket, got "app"; .*web/,
  ]);
  t.match(withChange('admin: { path: admin.sock', 'admin: { path: ./web.sock'), [
    /admin.path: expected another than sockets\[0\].path, got ".*web.sock" again/,
  ]);
  t.match(withChange('catalogue_file: catalogue', 'catalogue_file: admin.sock'), [
    /catalogue_file: expected another than admin.path/,
  ]);
  const token = '  - { name: main, module: m, slot: 0, pin_file: p }\n';
  t.match(withChange('sockets:\n', `${token}sockets:\n`), [
    /:7:13: tokens\[1\].name: expected another than tokens\[0\].name, got "main" again/,
  ]);
});

t.test('traces want a collector that takes OTLP over HTTP, and a password in its URL is not repeated', async (t) => {
  const traces = (text: string) => problemsOf(`${GOOD}traces: { ${text} }\n`);
  const { traces: good } = load(`${GOOD}traces: { otlp_url: "https://[::1]:4318/otlp/v1/traces" }\n`);
  t.same(good, { otlp_url: 'https://[::1]:4318/otlp/v1/traces', sample_ratio: 1, service_name: 'signet' });
  t.equal(load(GOOD).traces, undefined, 'off by default');
  const wrong = [
    'http://h:4318',
    'grpc://h/v1/traces',
    'http://u:pass@h/v1/traces',
    'http:///v1/traces',
    'http://h/v1/traces?pass',
  ];
  for (const url of wrong) {
    const [problem, ...more] = traces(`otlp_url: "${url}"`);
    t.match(
      problem,
      /:16:21: traces.otlp_url: expected a URL of up to 2048 .* such as "http:\/\/127.0.0.1:4318\/v1\/traces"$/,
      url,
    );
    t.notMatch(problem, /pass@|\?pass/);
    t.same(more, []);
  }
  t.match(traces('sample_ratio: 2, otlp_url: http://h/v1/traces'), [
    /traces.sample_ratio: expected a number from 0 to 1, got 2/,
  ]);
  t.match(traces('sample_ratio: 1'), [/traces.otlp_url: missing; expected a URL/]);
});

t.test('groups, marks and what a grant may add are checked', async (t) => {
  const grant = '  - { principal: nginx, keys: ["*"], uses: [tls13-server] }\n';
  const withGrant = (to: string) => withChange(grant, to);
  t.match(withChange('principal: nginx', 'principal: group:web'), [
    /:15:18: grants\[0\].principal: expected a group of principal_groups, got "group:web"; known: none/,
  ]);
  t.match(withChange('keys: ["*"]', 'keys: ["group:www"]'), [/grants\[0\].keys\[0\]: expected a group of key_groups/]);
  const groups = 'principal_groups: [{ name: web, members: [nginx, ngnix] }]\ngrants:\n';
  t.match(withChange('grants:\n', groups), [
    /:14:50: principal_groups\[0\].members\[1\]: expected the name of a principal, got "ngnix"; did you mean "nginx"/,
  ]);
  const marks = 'keys: [{ key: "*", ca: true }, { key: "*", pss_only: yes }, { key: group:x }]\ngrants:\n';
  t.match(withChange('grants:\n', marks), [/keys\[1\].pss_only: expected true or false, got "yes"/]);
  t.match(withChange('grants:\n', marks.replace('yes', 'true')), [
    /keys\[1\].key: expected another than keys\[0\].key, got "\*" again/,
    /keys\[2\].key: expected a group of key_groups, got "group:x"/,
  ]);
  t.match(withGrant(grant.replace(' }', ', burst: 3 }')), [/grants\[0\]: expected rate_per_s where burst stands/]);
  t.match(withGrant(grant.replace(' }', ', expires: 2027-01-31 }')), [/expires: expected an instant such as "2027-/]);
  t.match(withGrant(grant.replace(' }', ', schemes: [ecdsa_sha1] }')), [
    /schemes\[0\]: expected one of ecdsa_secp256r1/,
  ]);
  t.match(withChange('uid: 33 } }', 'uid: 33 } }\n  - { name: a, api_key_sha256: abc }'), [
    /api_key_sha256: expected the SHA-256 of an API key/,
  ]);
  const key = `api_key_sha256: ${'ab'.repeat(32)}`;
  t.match(withChange('uid: 33 } }', `uid: 33 } }\n  - { name: a, ${key} }\n  - { name: b, ${key} }`), [
    /principals\[2\]: never matches, since principals\[1\] before it/,
  ]);
});

t.test('a principal that an earlier one covers is told, a wider one after it is not', async (t) => {
  const nginx = '  - { name: nginx, socket: { role: web, uid: 33 } }\n';
  const other = (socket: string) => `  - { name: other, socket: { ${socket} } }\n`;
  t.match(withChange(nginx, other('role: web') + nginx), [
    /:14:5: principals\[1\]: never matches, since principals\[0\]/,
  ]);
  t.match(withChange(nginx, nginx + other('role: web, uid: 33, gid: 33')), [/principals\[1\]: never matches/]);
  t.same(withChange(nginx, nginx + other('role: web')), []);
  t.same(withChange(nginx, nginx + other('role: web, gid: 33')), []);
});

t.test('what is not YAML is told with its place', async (t) => {
  t.match(problemsOf('version: 1\ntokens: [\n'), [/^signet.yaml:3:1: not YAML as expected: /]);
  t.match(problemsOf(`${GOOD}state_dir: x\n`), ['signet.yaml:16:1: "state_dir" stands here twice; keep one']);
  t.match(problemsOf(`${GOOD}---\n${GOOD}`), [/^signet.yaml:16:1: not YAML as expected: .*multiple documents/]);
  t.match(withChange('demo', '!secret demo'), [/^signet.yaml:5:18: not YAML as expected: Unresolved tag/]);
  t.match(problemsOf(Buffer.from([0x61, 0xff])), ['signet.yaml: expected text in UTF-8; other bytes came']);
});

t.test('YAML 1.2 holds: yes is a string, and an alias is what its anchor is', async (t) => {
  t.equal(
    load(GOOD.replace('role: web, path', 'role: yes, path').replace('role: web, uid', 'role: yes, uid')).sockets[0]
      ?.role,
    'yes',
  );
  const aliased = GOOD.replace('name: main', 'name: &n main').replace('token_label: demo', 'token_label: *n');
  t.equal(load(aliased).tokens[0]?.token_label, 'main');
  t.match(problemsOf(aliased.replace('&n main', '&n 12')), [
    /:3:14: tokens\[0\].name/,
    /:3:14: tokens\[0\].token_label/,
  ]);
});

t.test('bombs and great files are refused within a second', async (t) => {
  const started = performance.now();
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${['b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefg'[i]}`)}]\n`).join('')}`;
  t.match(problemsOf(bomb), [/expected aliases that multiply at most to/]);
  t.match(problemsOf(`a: ${'['.repeat(500_000)}`), [/^signet.yaml:1:1: expected at most 32 levels of nesting/]);
  t.match(problemsOf('- '.repeat(500_000)), [/levels of nesting/]);
  t.match(problemsOf('#'.repeat(1024 * 1024 + 1)), ['signet.yaml: expected at most 1048576 bytes; 1048577 came']);
  t.ok(performance.now() - started < 1_000);
});

t.test('a file of nothing but faults costs no more than reading it, and tells the first hundred', async (t) => {
  const started = performance.now();
  t.equal(problemsOf('ab:\n'.repeat(30_000)).length, 29_999);
  const unknown = problemsOf(Array.from({ length: 30_000 }, (_, i) => `a${i}: b\n`).join(''));
  t.equal(unknown.filter((problem) => problem.includes('no such option')).length, 100);
  t.ok(performance.now() - started < 20_000, `${performance.now() - started} ms`);
});

t.test('what is not a regular file is refused, and no FIFO is waited for', async (t) => {
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  t.throws(() => loadConfig(fifo), /fifo: expected a regular file/);
  t.throws(() => loadConfig(folder), /expected a regular file/);
  t.throws(() => loadConfig(join(folder, 'none.yaml')), /it does not exist; "signet init" makes one/);
});

t.test('a check tells what is wrong around a configuration whose form is right', async (t) => {
  writeFileSync(file, GOOD.replace('/var/lib/signet', 'no/where'));
  const { ok, problems } = checkConfig(file);
  t.notOk(ok);
  t.match(problems, [
    /^tokens\[0\].module: ENOENT/,
    /^token "main": PIN file .* cannot be opened \(ENOENT\); create it/,
    /^state_dir: the folder of .*no\/where: ENOENT/,
  ]);
  writeFileSync(join(folder, 'pin'), '1234', { mode: 0o600 });
  writeFileSync(file, GOOD.replace('/var/lib/signet', 'state').replace('lib/softhsm.so', 'pin'));
  t.same(checkConfig(file), { ok: true, problems: [] });
  writeFileSync(file, 'version: 1\n');
  t.equal(checkConfig(file).ok, false);
});
