import type { ConfigFile } from './config-file.js';
import type { Host } from './host.js';
import { sslConf, systemPart } from './openssl-conf.js';

/** openssl.cnf with the engine in the provider's place. `init`, for NGINX does not initialise an engine. */
export function engineConf(path: string, { engine, catalogue, sockets, systemConf }: Host): ConfigFile {
  const text = `${systemPart(systemConf)}[signet_init]
engines = signet_engines
${sslConf(systemConf?.text ?? '')}
[signet_engines]
signet = signet_engine

[signet_engine]
engine_id = signet
dynamic_path = ${engine}
SOCKETS = ${sockets.join(':')}
CATALOGUE = ${catalogue}
init = 1
`;
  return { part: 'openssl', path, purpose: 'has OpenSSL load the engine; OPENSSL_CONF names this file', text };
}
