/** GnuTLS with keys of the PKCS#11 module, named by URI. */
import { type Cell, type KeyKind, type Program, type Row, TLS } from '../cells.js';
import { demandingServer, visit, wasSeen } from '../handshake.js';
import { freePorts, listening, run, start } from '../processes.js';
import { built, type Site } from '../site.js';

const KEYS: readonly KeyKind[] = ['p256', 'p384', 'p521', 'rsa2048', 'rsa3072', 'rsa4096'];
const SERVER: Row = { program: 'GnuTLS', naming: '`pkcs11:` URI', keys: KEYS, ways: TLS, quick: ['p256', 'rsa2048'] };
const CLIENT: Row = { ...SERVER, program: 'GnuTLS, client certificate', quick: [] };

export const gnutls: Program = {
  rows: [SERVER, CLIENT],
  async run(site, cells, attempt) {
    for (const cell of cells) {
      await attempt(cell, () => site.signs(cell.key, 'digest', () => (cell.row === SERVER ? serve : ask)(site, cell)));
    }
  },
};

function credentials(site: Site, kind: KeyKind): string[] {
  const key = `pkcs11:token=signet;object=${kind};type=private`;
  return [
    '--provider',
    built('native/signet-pkcs11.so'),
    '--x509keyfile',
    key,
    '--x509certfile',
    site.certificate(kind),
  ];
}

/** In TLS 1.2 GnuTLS may choose SHA-256 for P-384 and P-521, for which there is no SignatureScheme. */
function priority({ key, way }: Cell): string[] {
  const unfit = key === 'p384' ? ':-SIGN-ECDSA-SHA256' : key === 'p521' ? ':-SIGN-ECDSA-SHA256:-SIGN-ECDSA-SHA384' : '';
  return ['--priority', `NORMAL:-VERS-ALL:+VERS-TLS${way}${unfit}`];
}

async function serve(site: Site, cell: Cell): Promise<void> {
  const [port = 0] = await freePorts(1);
  const args = ['--port', String(port), '--echo', ...priority(cell), ...credentials(site, cell.key)];
  const server = start('gnutls-serv', args, site.file('gnutls.log'), site.pkcs11Environment);
  await listening(server, port);
  await visit(site, port, cell.key, `${cell.key}.signet.test`, { way: cell.way })
    .catch((error) => {
      throw new Error(`${error.message}\n${server.log()}`);
    })
    .finally(() => server.stop());
}

async function ask(site: Site, cell: Cell): Promise<void> {
  const upstream = await demandingServer(site, cell.way);
  const where = [
    '--port',
    String(upstream.port),
    '--verify-hostname',
    'upstream.signet.test',
    '--x509cafile',
    site.ca,
    '127.0.0.1',
  ];
  const get = 'GET / HTTP/1.1\r\nHost: upstream.signet.test\r\nConnection: close\r\n\r\n';
  const args = [...priority(cell), ...credentials(site, cell.key), ...where];
  try {
    wasSeen(await run('gnutls-cli', args, site.pkcs11Environment, get), cell.key, cell.way);
  } finally {
    upstream.close();
  }
}
