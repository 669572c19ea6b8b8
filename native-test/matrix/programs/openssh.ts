/** OpenSSH: a login at a server of one's own with a key of the PKCS#11 module. */
import { chmodSync, mkdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { KeyKind, Program, Row } from '../cells.js';
import { run } from '../processes.js';
import { built, type Site } from '../site.js';

const KEYS: readonly KeyKind[] = ['p256', 'p384', 'p521', 'rsa2048', 'rsa3072', 'rsa4096'];
const LOGIN: Row = {
  program: 'OpenSSH, login',
  naming: '`PKCS11Provider`',
  keys: KEYS,
  ways: ['signature'],
  quick: [],
};

export const openssh: Program = {
  rows: [LOGIN],
  async run(site, cells, attempt) {
    await makeServer(site);
    for (const cell of cells) await attempt(cell, () => site.signs(cell.key, 'digest', () => login(site, cell.key)));
  },
};

/** sshd without a port: ssh starts it as its proxy. */
async function makeServer(site: Site): Promise<void> {
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', site.file('ssh-host')]);
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  site.write(
    'sshd.conf',
    `HostKey ${site.file('ssh-host')}
AuthorizedKeysFile ${site.file('authorized')}
AuthenticationMethods publickey
PermitRootLogin yes
StrictModes no
UsePAM no
PidFile none
`,
  );
  // The module asks for no PIN that matters, but ssh asks for one.
  chmodSync(site.write('askpass', '#!/bin/sh\necho any\n'), 0o755);
}

async function login(site: Site, kind: KeyKind): Promise<void> {
  const publicKey = site.write(
    'ssh.pkcs8',
    await site.openssl(['x509', '-in', site.certificate(kind), '-noout', '-pubkey']),
  );
  const authorized = await run('ssh-keygen', ['-i', '-m', 'PKCS8', '-f', publicKey]);
  site.write('authorized', authorized);
  site.write('ssh.pub', authorized);
  const options = {
    ProxyCommand: `/usr/sbin/sshd -i -e -f ${site.file('sshd.conf')}`,
    PKCS11Provider: built('native/signet-pkcs11.so'),
    IdentityFile: site.file('ssh.pub'),
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    StrictHostKeyChecking: 'no',
    UserKnownHostsFile: '/dev/null',
    PreferredAuthentications: 'publickey',
  };
  const args = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const env = {
    ...site.pkcs11Environment,
    DISPLAY: 'none',
    SSH_ASKPASS: site.file('askpass'),
    SSH_ASKPASS_REQUIRE: 'force',
  };
  const said = await run('ssh', ['-F', 'none', ...args, `${userInfo().username}@localhost`, 'echo logged in'], env);
  if (!said.includes('logged in')) throw new Error(`expected a login: ${said}`);
}
