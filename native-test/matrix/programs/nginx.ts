/** NGINX as a server: the ways in which its configuration can name a key. */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { type Cell, KEY_KINDS, type KeyKind, keysOf, type Program, type Row, TLS } from '../cells.js';
import { makeOcspResponse } from '../certificates.js';
import { resumes, visit, visitSigned } from '../handshake.js';
import { freePorts, type Running, serving, start } from '../processes.js';
import type { Site } from '../site.js';
import { engineConf } from './engines.js';

const PROGRAM = 'NGINX';
const QUICK: readonly KeyKind[] = ['p256', 'rsa2048'];
const PAIR: readonly KeyKind[] = ['p256', 'rsa2048'];
const ENGINE_KEYS: readonly KeyKind[] = ['p256', 'p384', 'p521', 'rsa2048', 'rsa3072', 'rsa4096'];

const row = (naming: string, keys: readonly KeyKind[] = KEY_KINDS, quick = QUICK): Row => ({
  program: PROGRAM,
  naming,
  keys,
  ways: TLS,
  quick: quick.filter((kind) => keys.includes(kind)),
});

const FILE = row('file', KEY_KINDS, ['p256', 'p384', 'p521', 'ed25519', 'rsa2048', 'rsapss']);
const SECOND = row('file, second form (`PRIVATE KEY`)', KEY_KINDS, []);
const VARIABLE = row('file named by a variable');
const DATA = row('`data:$variable`');
const COMBINED = row('certificate and key in one file');
const TWO = row('RSA and EC on one server', PAIR);
const STAPLED = row('file, OCSP stapling', PAIR);
const TICKETS = row('file, session tickets', PAIR);
const STATIC_RSA: Row = { ...row('file, static RSA refused and ECDHE beside it', ['rsa2048']), ways: ['1.2'] };
const SIGNET = row('`engine:signet:label_…`', [...ENGINE_KEYS, 'ed25519']);
/** In TLS 1.2 OpenSSL takes SHA-256 for every curve, for which P-384 and P-521 have no SignatureScheme. */
const PKCS11: Row = {
  ...row('`engine:pkcs11:label_…` of libp11', ENGINE_KEYS),
  waysOf: { p384: ['1.3'], p521: ['1.3'] },
};

/** Directives of a server block. */
const serverLines: ReadonlyMap<Row, (site: Site, kind: KeyKind) => string> = new Map([
  [FILE, (site, kind) => pairLines(site, kind, site.reference(kind))],
  [SECOND, (site, kind) => pairLines(site, kind, site.secondForm(kind))],
  [VARIABLE, (site, kind) => pairLines(site, kind, '$key_file')],
  [DATA, (site, kind) => pairLines(site, kind, 'data:$key_pem')],
  [COMBINED, (site, kind) => `ssl_certificate ${site.combined(kind)}; ssl_certificate_key ${site.combined(kind)};`],
  [
    STAPLED,
    (site, kind) =>
      `${pairLines(site, kind, site.reference(kind))} ssl_stapling on; ssl_stapling_file ${site.file(`${kind}.ocsp`)};`,
  ],
  [TICKETS, (site, kind) => pairLines(site, kind, site.reference(kind))],
  [STATIC_RSA, (site, kind) => pairLines(site, kind, site.reference(kind))],
  [SIGNET, (site, kind) => pairLines(site, kind, `"engine:signet:label_${kind}"`)],
  [PKCS11, (site, kind) => pairLines(site, kind, `"engine:pkcs11:label_${kind}"`)],
]);

export const nginx: Program = {
  rows: [FILE, SECOND, VARIABLE, DATA, COMBINED, TWO, STAPLED, TICKETS, STATIC_RSA],
  run: (site, cells, attempt) => serve(site, cells, attempt, { OPENSSL_CONF: site.file('provider.cnf') }),
};

/** The same with an engine in the place of the provider. */
export const nginxSignet: Program = {
  rows: [SIGNET],
  run: (site, cells, attempt) => serve(site, cells, attempt, { OPENSSL_CONF: engineConf(site, 'signet') }),
};

export const nginxPkcs11: Program = {
  rows: [PKCS11],
  run: (site, cells, attempt) =>
    serve(site, cells, attempt, { OPENSSL_CONF: engineConf(site, 'pkcs11'), ...site.pkcs11Environment }),
};

async function serve(
  site: Site,
  cells: readonly Cell[],
  attempt: Parameters<Program['run']>[2],
  env: NodeJS.ProcessEnv,
) {
  for (const kind of keysOf(cells.filter(({ row }) => row === STAPLED))) await makeOcspResponse(site, kind);
  const [port = 0] = await freePorts(1);
  const names = new Map(cells.filter(({ row }) => row !== TWO).map((cell) => [hostOf(cell), cell]));
  const servers = [...names].map(([host, { row, key }]) => server(port, host, serverLines.get(row)?.(site, key) ?? ''));
  if (cells.some(({ row }) => row === TWO))
    servers.push(
      server(port, 'pair.signet.test', PAIR.map((kind) => pairLines(site, kind, site.reference(kind))).join(' ')),
    );
  const running = await startNginx(site, `${maps(site, cells)}\n${servers.join('\n')}`, port, env);
  for (const cell of cells) await attempt(cell, () => shake(site, port, cell));
  await running.stop('SIGQUIT');
}

async function shake(site: Site, port: number, cell: Cell): Promise<void> {
  const { row, key, way } = cell;
  if (row === TICKETS) return resumes(site, port, key, hostOf(cell), way);
  if (row === STATIC_RSA) await refusesStaticRsa(site, port, cell);
  if (row === TWO) {
    await visitSigned(site, port, key, 'pair.signet.test', { way, sigalgs: key === 'p256' ? EC_ONLY : RSA_ONLY });
    return;
  }
  const use = row === PKCS11 ? { use: 'digest' } : {};
  const made = await visitSigned(site, port, key, hostOf(cell), { way, requestOCSP: row === STAPLED, ...use });
  if (row !== STAPLED) return;
  if (!made.ocsp?.equals(readFileSync(site.file(`${key}.ocsp`)))) throw new Error('the OCSP response was not stapled');
}

const EC_ONLY = 'ecdsa_secp256r1_sha256';
const RSA_ONLY = 'rsa_pss_rsae_sha256:rsa_pkcs1_sha256';

async function refusesStaticRsa(site: Site, port: number, cell: Cell): Promise<void> {
  const ciphers = 'AES128-GCM-SHA256';
  const refusal = await visit(site, port, cell.key, hostOf(cell), { way: '1.2', ciphers }).catch(
    (error) => error as Error,
  );
  if (!(refusal instanceof Error)) throw new Error('a handshake with static RSA passed');
}

/** Each cell's own name, under the wildcard of its key's certificate. */
function hostOf({ row, key }: Cell): string {
  return `${row.naming.replace(/[^a-z0-9]/gi, '').toLowerCase()}.${key}.signet.test`;
}

function pairLines(site: Site, kind: KeyKind, key: string): string {
  return `ssl_certificate ${site.certificate(kind)}; ssl_certificate_key ${key};`;
}

function maps(site: Site, cells: readonly Cell[]): string {
  const lines = (wanted: Row, value: (kind: KeyKind) => string) => {
    const hosts = new Map(cells.filter(({ row }) => row === wanted).map((cell) => [hostOf(cell), cell.key]));
    return [...hosts].map(([host, kind]) => `${host} "${value(kind)}";`).join('\n');
  };
  return `map_hash_bucket_size 256; server_names_hash_bucket_size 256;
map $ssl_server_name $key_file { default ""; ${lines(VARIABLE, (kind) => site.reference(kind))} }
map $ssl_server_name $key_pem { default ""; ${lines(DATA, (kind) => site.referencePem(kind))} }`;
}

function server(port: number, name: string, lines: string): string {
  return `server { listen 127.0.0.1:${port} ssl; server_name ${name}; ${lines} location / { return 200 "page\\n"; } }`;
}

/** NGINX with the blocks in its http block, listening on the port. */
export async function startNginx(site: Site, blocks: string, port: number, env: NodeJS.ProcessEnv): Promise<Running> {
  const name = `nginx-${port}`;
  const conf = site.write(`${name}.conf`, nginxConf(site, name, blocks));
  const running = start(
    'nginx',
    ['-p', site.folder, '-e', site.file(`${name}.log`), '-c', conf],
    site.file(`${name}.out`),
    env,
  );
  await serving(running, port).catch((error) => {
    throw new Error(`${error.message}\n${readFileSync(site.file(`${name}.log`), 'utf8')}`);
  });
  return running;
}

/** Workers stay who started it: as root NGINX would make them somebody else. */
function nginxConf(site: Site, name: string, blocks: string): string {
  const user = process.getuid?.() === 0 ? `user ${userInfo().username} root;` : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (what) => `${what}_temp_path ${site.file(`${name}.tmp`)};`,
  );
  return `${user} daemon off; worker_processes 1; pid ${site.file(`${name}.pid`)}; error_log ${site.file(`${name}.log`)} info;
env OPENSSL_CONF;
events { worker_connections 256; }
http {
access_log off; ssl_protocols TLSv1.2 TLSv1.3;
${temporary.join(' ')}
${blocks}
}
`;
}
