/** openssl.cnf for the engines: Signet's own, and libp11's, as the guides for key management services have it. */
import { execFileSync } from 'node:child_process';
import { built, type Site } from '../site.js';

export type Engine = 'pkcs11' | 'signet';

export function engineConf(site: Site, engine: Engine): string {
  const lines = engine === 'pkcs11' ? pkcs11(built('native/signet-pkcs11.so')) : signet(site);
  return site.write(
    `engine-${engine}.cnf`,
    `openssl_conf = openssl_init
[openssl_init]
engines = engines
[engines]
${engine} = engine
[engine]
engine_id = ${engine}
${lines}
init = 1
`,
  );
}

function pkcs11(module: string): string {
  return `dynamic_path = ${enginesFolder()}/pkcs11.so\nMODULE_PATH = ${module}\nPIN = any`;
}

function signet(site: Site): string {
  const settings = `SOCKETS = ${site.file('run/tls.sock')}\nCATALOGUE = ${site.file('run/catalogue')}\nTIMEOUT_MS = 10000`;
  return `dynamic_path = ${built('native/engines/signet.so')}\n${settings}`;
}

function enginesFolder(): string {
  const [, folder = ''] = /"(.*)"/.exec(execFileSync('openssl', ['version', '-e'], { encoding: 'utf8' })) ?? [];
  return folder;
}
