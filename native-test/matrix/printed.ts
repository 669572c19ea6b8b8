/**
 * What `signet config` prints is complete: each server is started as it says, with a base configuration as Debian has it around it, and serves a
 * page over TLS. Then `signet doctor` finds no fault in it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import type { Finding } from '../../src/cli/doctor/finding.js';
import type { ConfigFile } from '../../src/cli/server-config/config-file.js';
import { BASES, type Base } from './bases.js';
import type { KeyKind } from './cells.js';
import { type Files, fileOf } from './printed-files.js';
import { freePorts, listening, run, stopAll } from './processes.js';
import type { Site } from './site.js';
import { it } from './tap.js';

/** The kinds that the site must have. */
export const PRINTED_KEYS: readonly KeyKind[] = ['p256'];

export async function tryPrinted(site: Site): Promise<void> {
  const application = createServer((_request, response) => response.end(PAGE));
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve));
  const { port } = application.address() as AddressInfo;
  const test = (name: string, work: () => Promise<undefined>) =>
    it(`signet config ${name}`, () => work().finally(() => stopAll(site.service)));
  await test('openssl: a request is made with what is printed', () => openssl(site));
  for (const { words, says } of PRINTED) {
    const server = words[0] as keyof typeof BASES;
    await test(`${words.join(' ')}: what is printed serves, and the doctor is content`, () =>
      serves(site, BASES[server], words, port, says));
  }
  application.close();
}

/** What the doctor says of the server. */
const PRINTED = [
  { words: ['nginx'], says: /waits for each signature/ },
  { words: ['nginx', '--async'], says: /goes on while signatures are made/ },
  { words: ['haproxy'], says: /has the provider/ },
  { words: ['haproxy', '--no-async'], says: /has the provider/ },
  { words: ['apache'], says: /has the provider/ },
] as const;
const PAGE = 'a page of the application';

async function openssl(site: Site): Promise<undefined> {
  const files = await printed(site, ['openssl', '--sockets', site.file('run/any.sock')], site.file('printed-openssl'));
  const request = [
    'req',
    '-new',
    '-key',
    site.reference('p256'),
    '-subj',
    '/CN=printed',
    '-out',
    site.file('printed.csr'),
  ];
  await site.openssl(request, { OPENSSL_CONF: fileOf(files, 'openssl') });
  await site.openssl(['req', '-in', site.file('printed.csr'), '-noout', '-verify']);
}

/** Starts the server in the environment of its drop-in, fetches a page, and asks the doctor. */
async function serves(
  site: Site,
  base: Base,
  words: readonly string[],
  application: number,
  says: RegExp,
): Promise<undefined> {
  const [port = 0] = await freePorts(1);
  const wish = [...base.credentials(site, 'p256'), '--port', String(port), '--application', `127.0.0.1:${application}`];
  const folder = site.file(`printed-${port}`);
  const files = await printed(site, [...words, ...wish, '--sockets', site.file('run/tls.sock')], folder);
  const server = base.start(site, files, environmentOf(fileOf(files, 'systemd')), port);
  await listening(server, port);
  const target = ['--resolve', `p256.signet.test:${port}:127.0.0.1`, `https://p256.signet.test:${port}/`];
  for (const version of ['1.2', '1.3']) {
    const page = await run('curl', ['-sS', '--cacert', site.ca, `--tlsv${version}`, '--tls-max', version, ...target]);
    if (!page.includes(PAGE)) throw new Error(`expected the page; ${page} came`);
  }
  await contents(site, fileOf(files, 'openssl'), says);
  const how = await server.stop(base.end);
  if (how !== 0) throw new Error(`it ended with ${how}: ${server.log()}`);
}

/** Other servers of this machine are not what is tested. */
async function contents(site: Site, opensslConf: string, says: RegExp): Promise<void> {
  const files = [
    '--certificate',
    site.certificate('p256'),
    '--key-file',
    site.reference('p256'),
    '--nginx-conf',
    site.write('none.conf', ''),
  ];
  const { out } = await site.tell(['doctor', '--json', '--openssl-conf', opensslConf, ...files]);
  const { findings } = JSON.parse(out) as { findings: Finding[] };
  const faults = findings.filter((one) => one.level === 'fault' && !/pid \d+/.test(one.says));
  if (faults.length > 0) throw new Error(`the doctor found ${JSON.stringify(faults, null, 1)}`);
  if (!findings.some((one) => says.test(one.says))) throw new Error(`the doctor has not seen it: ${out}`);
}

/** The printed files under a folder, by their parts. */
async function printed(site: Site, args: readonly string[], folder: string): Promise<Files> {
  const conf = `${folder}/openssl.cnf`;
  const { out } = await site.tell(['config', ...args, '--openssl-conf', conf, '--json']);
  const { files } = JSON.parse(out) as { files: ConfigFile[] };
  return new Map(
    files.map(({ part, path, text }) => {
      const place = path === conf ? conf : folder + path;
      mkdirSync(dirname(place), { recursive: true });
      writeFileSync(place, text);
      return [part, place];
    }),
  );
}

/** What systemd would give it. */
function environmentOf(dropIn: string): NodeJS.ProcessEnv {
  const lines = readFileSync(dropIn, 'utf8').matchAll(/^Environment="([^=]+)=(.*)"$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name, value?.replaceAll('%%', '%')]));
}
