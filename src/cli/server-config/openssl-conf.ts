import type { ConfigFile } from './config-file.js';
import type { Host } from './host.js';

/**
 * openssl.cnf with the provider: `default` first and active by name, for as soon as one provider is named, only those that are named are active. What
 * else the system's own file says holds too (config(5)).
 */
export function opensslConf(path: string, { provider, sockets, catalogue, systemConf }: Host): ConfigFile {
  const text = `${systemPart(systemConf)}[signet_init]
providers = signet_providers
${sslConf(systemConf?.text ?? '')}
[signet_providers]
default = signet_default
signet = signet_provider

[signet_default]
activate = 1

[signet_provider]
module = ${provider}
activate = 1
# The user of the server must be let in: by the socket's mode and group, and by a principal with the uid, in signet.yaml.
sockets = ${sockets.join(':')}
catalogue = ${catalogue}
`;
  return { part: 'openssl', path, purpose: 'has OpenSSL load the provider; OPENSSL_CONF names this file', text };
}

/** The last `openssl_conf` counts, and `[default]` is the section of what stands before all sections. */
export function systemPart(systemConf: Host['systemConf']): string {
  if (systemConf === undefined) return 'openssl_conf = signet_init\n\n';
  return `# Everything else as the system has it.
.include ${systemConf.path}

[default]
openssl_conf = signet_init

`;
}

/** The system's settings of TLS, such as the least version. */
export function sslConf(systemText: string): string {
  const [, section] = /^[ \t]*ssl_conf[ \t]*=[ \t]*(\w+)/m.exec(systemText) ?? [];
  return section === undefined ? '' : `ssl_conf = ${section}\n`;
}
