/** HAProxy as a server and as the client of a backend that demands a certificate. */
import { copyFileSync } from 'node:fs';
import { type Cell, KEY_KINDS, type KeyKind, keysOf, type Program, type Row, TLS } from '../cells.js';
import { clientUse, demandingServer, resumes, visitSigned, wasSeen } from '../handshake.js';
import { freePorts, listening, type Running, run, serving, start } from '../processes.js';
import type { Site } from '../site.js';

const QUICK: readonly KeyKind[] = ['p256', 'rsa2048'];
const PAIR: readonly KeyKind[] = ['p256', 'rsa2048'];
const row = (program: string, naming: string, keys = KEY_KINDS as readonly KeyKind[]): Row => ({
  program,
  naming,
  keys,
  ways: TLS,
  quick: QUICK,
});
const COMBINED = row('HAProxy', 'certificate and key in one file');
const APART = row('HAProxy', '`.crt` and `.crt.key`');
const ASYNC = row('HAProxy', 'one file, `ssl-mode-async`');
const TWO = row('HAProxy', 'RSA and EC on one `bind`', PAIR);
const TICKETS = row('HAProxy', 'one file, session tickets', PAIR);
const BACKEND = row('HAProxy, client of a backend', 'certificate and key in one file');
const BACKEND_ASYNC = row('HAProxy, client of a backend', 'one file, `ssl-mode-async`');

export const haproxy: Program = {
  rows: [COMBINED, APART, TWO, TICKETS, BACKEND],
  run: (site, cells, attempt) => serve(site, cells, attempt, ''),
};

export const haproxyAsync: Program = {
  rows: [ASYNC, BACKEND_ASYNC],
  run: (site, cells, attempt) => serve(site, cells, attempt, 'ssl-mode-async'),
};

async function serve(
  site: Site,
  cells: readonly Cell[],
  attempt: Parameters<Program['run']>[2],
  mode: string,
): Promise<void> {
  const upstreams = { '1.2': await demandingServer(site, '1.2'), '1.3': await demandingServer(site, '1.3') };
  const ports = await freePorts(4);
  const [one = 0, apart = 0, two = 0, plain = 0] = ports;
  const kinds = keysOf(cells);
  for (const kind of kinds) copyFileSync(site.reference(kind), `${site.certificate(kind)}.key`);
  copyFileSync(site.combined('p256'), site.file('two.pem.ecdsa'));
  copyFileSync(site.combined('rsa2048'), site.file('two.pem.rsa'));
  const backends = cells
    .filter(isBackend)
    .map((cell) => backend(site, cell, upstreams[cell.way as '1.2' | '1.3'].port));
  const running = await startHaproxy(
    site,
    mode,
    `frontend one
  bind 127.0.0.1:${one} ssl ${kinds.map((kind) => `crt ${site.combined(kind)}`).join(' ')}
  ${PAGE}
frontend apart
  bind 127.0.0.1:${apart} ssl ${kinds.map((kind) => `crt ${site.certificate(kind)}`).join(' ')}
  ${PAGE}
frontend two
  bind 127.0.0.1:${two} ssl crt ${site.file('two.pem')}
  ${PAGE}
frontend plain
  bind 127.0.0.1:${plain}
  use_backend %[path,field(2,/)]
${backends.join('\n')}
`,
    plain,
  );
  const portOf = new Map([
    [COMBINED, one],
    [ASYNC, one],
    [TICKETS, one],
    [APART, apart],
    [TWO, two],
  ]);
  for (const cell of cells) {
    await attempt(cell, () =>
      isBackend(cell) ? visitBackend(site, plain, cell) : shake(site, portOf.get(cell.row) ?? 0, cell),
    );
  }
  await running.stop('SIGUSR1');
  for (const upstream of Object.values(upstreams)) upstream.close();
}

const PAGE = 'http-request return status 200 content-type text/plain string "page"';

async function shake(site: Site, port: number, { row, key, way }: Cell): Promise<void> {
  const host = `haproxy.${key}.signet.test`;
  if (row === TICKETS) return resumes(site, port, key, host, way);
  const sigalgs = key === 'p256' ? 'ecdsa_secp256r1_sha256' : 'rsa_pss_rsae_sha256:rsa_pkcs1_sha256';
  if (row === TWO) await visitSigned(site, port, key, 'pair.signet.test', { way, sigalgs });
  else await visitSigned(site, port, key, host, { way });
}

function isBackend({ row }: Cell): boolean {
  return row === BACKEND || row === BACKEND_ASYNC;
}

async function visitBackend(site: Site, port: number, cell: Cell): Promise<void> {
  await site.signs(cell.key, clientUse(cell.way), async () => {
    wasSeen(await run('curl', ['-sS', `http://127.0.0.1:${port}/${nameOf(cell)}/`]), cell.key, cell.way);
  });
}

function nameOf({ key, way }: Cell): string {
  return `${key}-${way.replace('.', '')}`;
}

function backend(site: Site, cell: Cell, port: number): string {
  const version = cell.way === '1.2' ? 'force-tlsv12' : 'force-tlsv13';
  const verify = `verify required ca-file ${site.ca} verifyhost upstream.signet.test sni str(upstream.signet.test)`;
  return `backend ${nameOf(cell)}
  server upstream 127.0.0.1:${port} ssl crt ${site.combined(cell.key)} ${version} ${verify}`;
}

/** One thread, so that what does not wait is seen not to. `maxpipes` makes room for the descriptors of `ssl-mode-async`. */
export async function startHaproxy(
  site: Site,
  mode: string,
  sections: string,
  port: number,
  args: readonly string[] = [],
): Promise<Running> {
  const name = `haproxy-${port}`;
  const conf = site.write(
    `${name}.cfg`,
    `global
  nbthread 1
  maxconn 400
  maxpipes 200
  ssl-default-bind-options ssl-min-ver TLSv1.2
  ${mode}
defaults
  mode http
  timeout connect 10s
  timeout client 15s
  timeout server 15s
${sections}`,
  );
  const env = { OPENSSL_CONF: site.file('provider.cnf') };
  const running = start('haproxy', ['-db', ...args, '-f', conf], site.file(`${name}.log`), env);
  await (args.includes('-W') ? serving : listening)(running, port);
  return running;
}
