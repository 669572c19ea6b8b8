/** NGINX as the client of an upstream that demands a certificate, with its session reuse on, as it is by default. */
import { type Cell, KEY_KINDS, type KeyKind, keysOf, type Program, type Row, TLS } from '../cells.js';
import { clientUse, demandingServer, type Upstream, versionOf, wasSeen } from '../handshake.js';
import { freePorts, run } from '../processes.js';
import type { Site } from '../site.js';
import { startNginx } from './nginx.js';

const row = (naming: string): Row => ({
  program: 'NGINX, client of an upstream',
  naming,
  keys: KEY_KINDS,
  ways: TLS,
  quick: ['p256', 'rsa2048'],
});
const FILE = row('`proxy_ssl_certificate_key` file');
const VARIABLE = row('`proxy_ssl_certificate_key` variable');

export const nginxClient: Program = {
  rows: [FILE, VARIABLE],
  async run(site, cells, attempt) {
    const upstreams = { '1.2': await demandingServer(site, '1.2'), '1.3': await demandingServer(site, '1.3') };
    const [port = 0] = await freePorts(1);
    const blocks = [...cells.map((cell) => upstream(cell, upstreams)), server(site, port, cells)];
    const nginx = await startNginx(site, `${map(site, cells)}\n${blocks.join('\n')}`, port, {
      OPENSSL_CONF: site.file('provider.cnf'),
    });
    for (const cell of cells) await attempt(cell, () => visitUpstream(site, port, cell));
    await nginx.stop('SIGQUIT');
    for (const one of Object.values(upstreams)) one.close();
  },
};

/** The first connection signs, the second goes on with its session. */
async function visitUpstream(site: Site, port: number, cell: Cell): Promise<void> {
  const fetch = async () =>
    wasSeen(await run('curl', ['-sS', `http://127.0.0.1:${port}/${nameOf(cell)}/${cell.key}`]), cell.key, cell.way);
  await site.signs(cell.key, clientUse(cell.way), async () => {
    await fetch();
  });
  if (!(await fetch()).reused) throw new Error('the second connection made a whole handshake');
}

function nameOf({ row, key, way }: Cell): string {
  return `${row === FILE ? 'file' : 'variable'}-${key}-${way}`;
}

/** One for each cell: NGINX keeps sessions by upstream, whatever the certificate. */
function upstream(cell: Cell, upstreams: Readonly<Record<string, Upstream>>): string {
  return `upstream ${nameOf(cell)} { server 127.0.0.1:${upstreams[cell.way]?.port}; }`;
}

function map(site: Site, cells: readonly Cell[]): string {
  const lines = keysOf(cells).map((kind: KeyKind) => `~/${kind}$ ${site.reference(kind)};`);
  return `map $uri $client_key { default ""; ${lines.join(' ')} }`;
}

function server(site: Site, port: number, cells: readonly Cell[]): string {
  const locations = cells.map((cell) => {
    const key = cell.row === FILE ? site.reference(cell.key) : '$client_key';
    return `location /${nameOf(cell)}/ {
  proxy_pass https://${nameOf(cell)}; proxy_ssl_protocols ${versionOf(cell.way)};
  proxy_ssl_certificate ${site.certificate(cell.key)}; proxy_ssl_certificate_key ${key};
}`;
  });
  return `server { listen 127.0.0.1:${port};
proxy_ssl_verify on; proxy_ssl_trusted_certificate ${site.ca}; proxy_ssl_name upstream.signet.test; proxy_ssl_session_reuse on;
${locations.join('\n')}
}`;
}
