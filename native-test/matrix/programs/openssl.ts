/** OpenSSL's own commands, with a reference where they want a private key. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { type Cell, KEY_KINDS, type KeyKind, type Program, type Row, TLS } from '../cells.js';
import { clientUse, demandingServer, visitSigned, wasSeen } from '../handshake.js';
import { freePorts, listening, start } from '../processes.js';
import type { Site } from '../site.js';

const FILE = 'file';
const URI = '`signet:label=…` URI';
/** What OpenSSL 3.0 cannot do with a key in a file either is left out. */
const NOT_ED25519 = KEY_KINDS.filter((kind) => kind !== 'ed25519');

type Work = (command: Command) => Promise<void>;

/** One command on one key: `openssl` runs with the provider, `plain` without it, to verify. */
interface Command {
  readonly kind: KeyKind;
  readonly key: string;
  readonly certificate: string;
  readonly publicKey: string;
  readonly ca: string;
  /** `-sha256` and the like; nothing for Ed25519. */
  readonly digest: readonly string[];
  file(name: string): string;
  openssl(...args: readonly string[]): Promise<string>;
  plain(...args: readonly string[]): Promise<string>;
}

const signature = (command: string, naming: string, keys = KEY_KINDS as readonly KeyKind[]): Row => ({
  program: `openssl ${command}`,
  naming,
  keys,
  ways: ['signature'],
  quick: naming === FILE || command === 'req' ? ['p256'] : [],
});

const works: ReadonlyMap<Row, Work> = new Map([
  ...[FILE, URI].flatMap((naming): [Row, Work][] => [
    [signature('req', naming), request],
    [signature('req -x509', naming), selfSigned],
    [signature('x509', naming), issued],
    [signature('cms', naming, NOT_ED25519), message],
    [signature('dgst', naming, NOT_ED25519), digested],
    [signature('pkeyutl', naming), raw],
  ]),
  // It opens its key as a file, whatever its name.
  [
    signature(
      'ts',
      FILE,
      NOT_ED25519.filter((kind) => kind !== 'rsapss'),
    ),
    timeStamp,
  ],
]);

export const opensslCommands: Program = {
  rows: [...works.keys()],
  async run(site, cells, attempt) {
    site.write('message', 'what is signed');
    for (const cell of cells) {
      const command = commandOf(site, cell);
      await attempt(cell, async () => works.get(cell.row)?.(command));
    }
  },
};

const HASHES: Readonly<Partial<Record<KeyKind, string>>> = { p384: '-sha384', p521: '-sha512' };

function commandOf(site: Site, { row, key: kind }: Cell): Command {
  const env = { OPENSSL_CONF: site.file('provider-any.cnf') };
  const publicKey = site.file(`${kind}.public`);
  const certificate = new X509Certificate(readFileSync(site.certificate(kind)));
  writeFileSync(publicKey, certificate.publicKey.export({ format: 'pem', type: 'spki' }));
  return {
    kind,
    key: keyOf(site, row, kind),
    certificate: site.certificate(kind),
    publicKey,
    ca: site.ca,
    digest: kind === 'ed25519' ? [] : [HASHES[kind] ?? '-sha256'],
    file: (name) => site.file(name),
    openssl: (...args) => site.openssl(args, env),
    plain: (...args) => site.openssl(args),
  };
}

function keyOf(site: Site, row: Row, kind: KeyKind): string {
  if (row.naming === FILE) return site.reference(kind);
  return `signet:label=${kind}${kind === 'rsapss' ? ';type=rsa-pss' : ''}`;
}

async function request({ key, digest, file, openssl, plain }: Command): Promise<void> {
  await openssl('req', '-new', '-key', key, ...digest, '-subj', '/CN=request', '-out', file('made.csr'));
  await plain('req', '-in', file('made.csr'), '-noout', '-verify');
}

async function selfSigned({ key, digest, file, openssl, plain }: Command): Promise<void> {
  await openssl(
    'req',
    '-x509',
    '-new',
    '-key',
    key,
    ...digest,
    '-subj',
    '/CN=self',
    '-days',
    '2',
    '-out',
    file('made.crt'),
  );
  await plain('verify', '-CAfile', file('made.crt'), '-check_ss_sig', file('made.crt'));
}

/** As a CA would: it signs the certificate of another's request. */
async function issued({ key, digest, file, openssl, plain }: Command): Promise<void> {
  const extensions = ['-addext', 'keyUsage=critical,keyCertSign'];
  await openssl(
    'req',
    '-x509',
    '-new',
    '-key',
    key,
    ...digest,
    '-subj',
    '/CN=issuer',
    '-days',
    '2',
    ...extensions,
    '-out',
    file('issuer.crt'),
  );
  const authority = ['-CA', file('issuer.crt'), '-CAkey', key, '-CAserial', file('made.srl'), '-CAcreateserial'];
  await openssl(
    'x509',
    '-req',
    '-in',
    file('genuine.csr'),
    ...authority,
    ...digest,
    '-days',
    '2',
    '-out',
    file('made.crt'),
  );
  await plain('verify', '-CAfile', file('issuer.crt'), file('made.crt'));
}

async function message({ kind, key, certificate, ca, digest, file, openssl, plain }: Command): Promise<void> {
  const md = ['-md', digest[0]?.slice(1) ?? ''];
  const pss = kind === 'rsapss' ? ['-keyopt', 'rsa_padding_mode:pss'] : [];
  await openssl(
    'cms',
    '-sign',
    '-signer',
    certificate,
    '-inkey',
    key,
    ...md,
    ...pss,
    '-in',
    file('message'),
    '-out',
    file('made.cms'),
  );
  await plain('cms', '-verify', '-CAfile', ca, '-purpose', 'any', '-in', file('made.cms'), '-out', file('made'));
}

async function digested({ key, publicKey, digest, file, openssl, plain }: Command): Promise<void> {
  await openssl('dgst', ...digest, '-sign', key, '-out', file('made.sig'), file('message'));
  await plain('dgst', ...digest, '-verify', publicKey, '-signature', file('made.sig'), file('message'));
}

/** Of a digest that was made before; Ed25519 signs the message. */
async function raw({ kind, key, publicKey, digest, file, openssl, plain }: Command): Promise<void> {
  const [hash = ''] = digest;
  const how = kind === 'ed25519' ? ['-rawin'] : ['-pkeyopt', `digest:${hash.slice(1)}`];
  const pss = kind === 'rsapss' ? ['-pkeyopt', 'rsa_padding_mode:pss', '-pkeyopt', 'rsa_pss_saltlen:digest'] : [];
  const input = kind === 'ed25519' ? file('message') : file('digest');
  if (kind !== 'ed25519') await plain('dgst', hash, '-binary', '-out', input, file('message'));
  await openssl('pkeyutl', '-sign', '-inkey', key, '-in', input, ...how, ...pss, '-out', file('made.sig'));
  await plain(
    'pkeyutl',
    '-verify',
    '-pubin',
    '-inkey',
    publicKey,
    '-in',
    input,
    '-sigfile',
    file('made.sig'),
    ...how,
    ...pss,
  );
}

/** A time stamp (RFC 3161), by a certificate for that purpose. */
async function timeStamp({ kind, key, ca, digest, file, openssl, plain }: Command): Promise<void> {
  writeFileSync(file('ts.ext'), 'extendedKeyUsage=critical,timeStamping\n');
  const authority = [
    '-CA',
    ca,
    '-CAkey',
    file('ca.key'),
    '-CAserial',
    file('ca.srl'),
    '-days',
    '2',
    '-extfile',
    file('ts.ext'),
  ];
  await plain('x509', '-req', '-in', file(`${kind}.csr`), ...authority, '-out', file('ts.crt'));
  writeFileSync(file('ts.cnf'), timeStampConf(file('ts.serial'), digest[0]?.slice(1) ?? 'sha256'));
  await plain('ts', '-query', '-data', file('message'), '-sha256', '-cert', '-out', file('ts.query'));
  const signer = ['-signer', file('ts.crt'), '-inkey', key];
  await openssl(
    'ts',
    '-reply',
    '-config',
    file('ts.cnf'),
    '-queryfile',
    file('ts.query'),
    ...signer,
    '-out',
    file('ts.reply'),
  );
  await plain('ts', '-verify', '-queryfile', file('ts.query'), '-in', file('ts.reply'), '-CAfile', ca);
}

function timeStampConf(serial: string, digest: string): string {
  return `[tsa]\ndefault_tsa = stamps\n[stamps]\nserial = ${serial}\ndefault_policy = 1.2.3.4\nsigner_digest = ${digest}
digests = sha256, sha384, sha512\naccuracy = secs:1\ness_cert_id_alg = sha256\n`;
}

const tls = (command: string, naming: string): Row => ({
  program: `openssl ${command}`,
  naming,
  keys: KEY_KINDS,
  ways: TLS,
  quick: ['p256'],
});
const SERVERS = [FILE, URI].map((naming) => tls('s_server', naming));
const CLIENTS = [FILE, URI].map((naming) => tls('s_client', naming));

export const opensslTls: Program = {
  rows: [...SERVERS, ...CLIENTS],
  async run(site, cells, attempt) {
    const env = { OPENSSL_CONF: site.file('provider.cnf') };
    for (const cell of cells) {
      const credentials = ['-cert', site.certificate(cell.key), '-key', keyOf(site, cell.row, cell.key)];
      await attempt(cell, () => (SERVERS.includes(cell.row) ? server : client)(site, cell, credentials, env));
    }
  },
};

async function server(
  site: Site,
  { key, way }: Cell,
  credentials: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const [port = 0] = await freePorts(1);
  const args = ['s_server', '-accept', `127.0.0.1:${port}`, '-www', ...credentials];
  const running = start('openssl', args, site.file('s_server.log'), env);
  await listening(running, port);
  await visitSigned(site, port, key, `${key}.signet.test`, { way }).finally(() => running.stop());
}

async function client(
  site: Site,
  { key, way }: Cell,
  credentials: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const upstream = await demandingServer(site, way);
  const verify = ['-CAfile', site.ca, '-verify_return_error', '-servername', 'upstream.signet.test', '-ign_eof'];
  const get = 'GET / HTTP/1.1\r\nHost: upstream.signet.test\r\nConnection: close\r\n\r\n';
  const args = ['s_client', '-connect', `127.0.0.1:${upstream.port}`, ...credentials, ...verify];
  await site
    .signs(key, clientUse(way), async () => {
      wasSeen(await site.openssl(args, env, get), key, way);
    })
    .finally(() => upstream.close());
}
