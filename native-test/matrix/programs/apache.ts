/** Apache's httpd with mod_ssl. */
import { existsSync } from 'node:fs';
import { type Cell, KEY_KINDS, type KeyKind, keysOf, type Program, type Row, TLS } from '../cells.js';
import { resumes, visitSigned } from '../handshake.js';
import { freePorts, type Running, serving, start } from '../processes.js';
import type { Site } from '../site.js';

const PAIR: readonly KeyKind[] = ['p256', 'rsa2048'];
const row = (naming: string, keys: readonly KeyKind[] = KEY_KINDS): Row => ({
  program: 'Apache',
  naming,
  keys,
  ways: TLS,
  quick: PAIR,
});
const FILE = row('file');
const COMBINED = row('certificate and key in one file');
const TWO = row('RSA and EC on one server', PAIR);
const TICKETS = row('file, session tickets', PAIR);
/** Debian's place, and where the sources put them. */
const MODULES = ['/usr/lib/apache2/modules', '/usr/local/apache2/modules'].find((folder) => existsSync(folder)) ?? '';

export const apache: Program = {
  rows: [FILE, COMBINED, TWO, TICKETS],
  async run(site, cells, attempt) {
    const [port = 0] = await freePorts(1);
    const kinds = keysOf(cells);
    const hosts = [
      ...kinds.map((kind) => host(port, `file.${kind}.signet.test`, pair(site, kind))),
      ...kinds.map((kind) => host(port, `combined.${kind}.signet.test`, [`SSLCertificateFile ${site.combined(kind)}`])),
      host(
        port,
        'pair.signet.test',
        PAIR.flatMap((kind) => pair(site, kind)),
      ),
    ];
    const running = await startApache(site, port, hosts.join('\n'));
    for (const cell of cells) await attempt(cell, () => shake(site, port, cell));
    await running.stop();
  },
};

async function shake(site: Site, port: number, { row, key, way }: Cell): Promise<void> {
  if (row === TICKETS) return resumes(site, port, key, `file.${key}.signet.test`, way);
  const sigalgs = key === 'p256' ? 'ecdsa_secp256r1_sha256' : 'rsa_pss_rsae_sha256:rsa_pkcs1_sha256';
  if (row === TWO) await visitSigned(site, port, key, 'pair.signet.test', { way, sigalgs });
  else await visitSigned(site, port, key, `${row === FILE ? 'file' : 'combined'}.${key}.signet.test`, { way });
}

export function pair(site: Site, kind: KeyKind): string[] {
  return [`SSLCertificateFile ${site.certificate(kind)}`, `SSLCertificateKeyFile ${site.reference(kind)}`];
}

export function host(port: number, name: string, lines: readonly string[]): string {
  return `<VirtualHost 127.0.0.1:${port}>\nServerName ${name}\nSSLEngine on\n${lines.join('\n')}\n</VirtualHost>`;
}

/** In the foreground; as root its children become another user, which they must. */
export async function startApache(site: Site, port: number, hosts: string): Promise<Running> {
  const name = `apache-${port}`;
  const conf = site.write(
    `${name}.conf`,
    `${apacheModules('mpm_event', 'authz_core', 'socache_shmcb', 'ssl')}
${process.getuid?.() === 0 ? 'User nobody\nGroup nogroup' : ''}
ServerRoot ${site.folder}
ServerName localhost
DocumentRoot ${site.folder}
DefaultRuntimeDir ${site.folder}
PidFile ${site.file(`${name}.pid`)}
ErrorLog ${site.file(`${name}.log`)}
LogLevel info
Listen 127.0.0.1:${port}
StartServers 1
ServerLimit 2
SSLProtocol -all +TLSv1.2 +TLSv1.3
SSLSessionCache none
${hosts}
`,
  );
  const running = start('apache2', ['-DFOREGROUND', '-f', conf], site.file(`${name}.log`), {
    OPENSSL_CONF: site.file('provider.cnf'),
  });
  await serving(running, port);
  return running;
}

export function apacheModules(...names: readonly string[]): string {
  return names.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n');
}
