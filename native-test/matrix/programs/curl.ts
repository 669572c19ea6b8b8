/** curl with a client certificate. */
import { KEY_KINDS, type Program, type Row, TLS } from '../cells.js';
import { clientUse, demandingServer, wasSeen } from '../handshake.js';
import { run } from '../processes.js';

const row = (naming: string): Row => ({
  program: 'curl, client certificate',
  naming,
  keys: KEY_KINDS,
  ways: TLS,
  quick: ['p256', 'rsa2048'],
});
const FILE = row('`--key` file');
const COMBINED = row('`--cert`, certificate and key in one file');

export const curl: Program = {
  rows: [FILE, COMBINED],
  async run(site, cells, attempt) {
    const upstreams = { '1.2': await demandingServer(site, '1.2'), '1.3': await demandingServer(site, '1.3') };
    for (const cell of cells) {
      const { row, key, way } = cell;
      const { port } = upstreams[way as '1.2' | '1.3'];
      const credentials =
        row === FILE ? ['--cert', site.certificate(key), '--key', site.reference(key)] : ['--cert', site.combined(key)];
      const target = ['--resolve', `upstream.signet.test:${port}:127.0.0.1`, `https://upstream.signet.test:${port}/`];
      await attempt(cell, () =>
        site.signs(key, clientUse(way), async () => {
          wasSeen(
            await run('curl', ['-sS', '--cacert', site.ca, ...credentials, ...target], {
              OPENSSL_CONF: site.file('provider.cnf'),
            }),
            key,
            way,
          );
        }),
      );
    }
    for (const upstream of Object.values(upstreams)) upstream.close();
  },
};
