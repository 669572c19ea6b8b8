import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../config/schema.js';
import type { Cli, GlobalOptions } from '../cli.js';
import { configOf, hasConfig } from '../configured.js';

/** What a configuration for a server must know of this machine. */
export interface Host {
  /** The OpenSSL provider. */
  readonly provider: string;
  /** The OpenSSL engine. */
  readonly engine: string;
  /** Where the service lists its keys, for those that the engine takes by name. */
  readonly catalogue: string;
  /** Unix sockets of the service, in the order in which they are tried. */
  readonly sockets: readonly string[];
  /** The openssl.cnf of the system, if there is one. */
  readonly systemConf: { readonly path: string; readonly text: string } | undefined;
}

const ARCHITECTURES = ['x86_64-linux-gnu', 'aarch64-linux-gnu'];
/** Where OpenSSL looks for providers: Debian's multiarch, Fedora, an own build. */
const PROVIDERS = [
  ...ARCHITECTURES.map((name) => `/usr/lib/${name}/ossl-modules/signet.so`),
  '/usr/lib64/ossl-modules/signet.so',
  '/usr/lib/signet/signet.so',
  '/usr/local/lib/ossl-modules/signet.so',
];
/** Where OpenSSL looks for engines. */
const ENGINES = [
  ...ARCHITECTURES.map((name) => `/usr/lib/${name}/engines-3/signet.so`),
  '/usr/lib64/engines-3/signet.so',
  '/usr/local/lib/engines-3/signet.so',
];
const SYSTEM_CONFS = ['/etc/ssl/openssl.cnf', '/etc/pki/tls/openssl.cnf', '/usr/local/ssl/openssl.cnf'];
/** SIGNET_SOCKETS_DEFAULT of native/client/signet_client.h. */
const SOCKET = '/run/signet/web.sock';
/** SIGNET__CATALOGUE_DEFAULT of native/catalogue/catalogue.h. */
const CATALOGUE = '/run/signet/catalogue.pb';

/** `sockets` as the caller named them; else the first role's of the configuration, if there is one; else the default. */
export async function hostOf(options: GlobalOptions & { sockets?: string }, cli: Cli): Promise<Host> {
  const config = hasConfig(options, cli) ? await configOf(options, cli) : undefined;
  return {
    provider: installedOrBuilt('signet.so', PROVIDERS),
    engine: installedOrBuilt('engines/signet.so', ENGINES),
    catalogue: config?.catalogue_file ?? CATALOGUE,
    sockets: options.sockets?.split(':') ?? configuredSockets(config),
    systemConf: systemConf(),
  };
}

/** The first that is there; else the one of this build. */
export function installedOrBuilt(name: string, places: readonly string[]): string {
  const built = fileURLToPath(new URL(`../../../build/native/${name}`, import.meta.url));
  return places.find((place) => existsSync(place)) ?? built;
}

function configuredSockets({ sockets }: Pick<Config, 'sockets'> = { sockets: [] }): readonly string[] {
  const paths = sockets.filter(({ role }) => role === sockets[0]?.role).map(({ path }) => path);
  return paths.length > 0 ? paths : [SOCKET];
}

function systemConf(): Host['systemConf'] {
  const path = SYSTEM_CONFS.find((place) => existsSync(place));
  return path === undefined ? undefined : { path, text: readFileSync(path, 'utf8') };
}
