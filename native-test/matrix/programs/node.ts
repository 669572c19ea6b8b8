/**
 * Node.js, which brings an OpenSSL of its own. It exports that one's symbols, with which the provider is bound; so it works where node's OpenSSL
 * is 3.0 or newer and has them all.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { KEY_KINDS, keysOf, type Program, type Row, TLS } from '../cells.js';
import { clientUse, demandingServer, visitSigned, wasSeen } from '../handshake.js';
import { run, start, until } from '../processes.js';

const SERVER: Row = {
  program: 'Node.js',
  naming: 'file (`--openssl-config`)',
  keys: KEY_KINDS,
  ways: TLS,
  quick: ['p256', 'rsa2048'],
};
const CLIENT: Row = { ...SERVER, program: 'Node.js, client certificate', quick: [] };
const PROGRAM = fileURLToPath(new URL('./node-tls.mjs', import.meta.url));

export const node: Program = {
  rows: [SERVER, CLIENT],
  async run(site, cells, attempt) {
    const config = `--openssl-config=${site.file('provider.cnf')}`;
    const ready = site.write('node.port', '');
    const server = start(
      process.execPath,
      [config, PROGRAM, 'server', site.folder, ready, ...keysOf(cells)],
      site.file('node.log'),
    );
    await until('the port of the node server', () => {
      if (server.hasEnded) throw new Error(`it ended: ${server.log()}`);
      return readFileSync(ready, 'utf8') !== '';
    });
    const port = Number(readFileSync(ready, 'utf8'));
    const upstreams = { '1.2': await demandingServer(site, '1.2'), '1.3': await demandingServer(site, '1.3') };
    for (const cell of cells) {
      const { row, key, way } = cell;
      await attempt(cell, async () => {
        if (row === SERVER) await visitSigned(site, port, key, `node.${key}.signet.test`, { way });
        else
          await site.signs(key, clientUse(way), async () => {
            const args = [config, PROGRAM, 'client', site.folder, String(upstreams[way as '1.2' | '1.3'].port), key];
            wasSeen(await run(process.execPath, args), key, way);
          });
      });
    }
    await server.stop();
    for (const upstream of Object.values(upstreams)) upstream.close();
  },
};
