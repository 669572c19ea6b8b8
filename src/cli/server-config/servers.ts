import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ConfigFile } from './config-file.js';
import { engineConf } from './engine-conf.js';
import type { Host } from './host.js';
import { opensslConf } from './openssl-conf.js';
import { dropIn } from './systemd-drop-in.js';

/** What the caller says of the site. */
export interface Wish {
  readonly opensslConf: string;
  readonly certificate: string;
  readonly port: string;
  /** Where the pages come from, HOST:PORT. */
  readonly application: string;
}

/** NGINX and Apache. */
export interface SiteWish extends Wish {
  readonly name: string;
  /** The reference PEM. */
  readonly keyFile: string;
}

export interface NginxWish extends SiteWish {
  /** The key's name in the OpenSSL engine, such as `label_www`; undefined: the reference PEM. */
  readonly engine: string | undefined;
  /** Whether it goes on while a signature is made, by the preload library. */
  readonly async: boolean;
  readonly library: string;
}

export interface HaproxyWish extends Wish {
  /** Whether it goes on while a signature is made. */
  readonly async: boolean;
  /** Where it locks itself up; undefined: nowhere. */
  readonly chroot: string | undefined;
}

export function nginxFiles(wish: NginxWish, host: Host): ConfigFile[] {
  const variables: [string, string][] = [['OPENSSL_CONF', wish.opensslConf]];
  if (wish.async) variables.push(['LD_PRELOAD', wish.library]);
  return [
    wish.engine === undefined ? opensslConf(wish.opensslConf, host) : engineConf(wish.opensslConf, host),
    dropIn('nginx', variables),
    {
      part: 'environment',
      path: '/etc/nginx/modules-enabled/90-signet.conf',
      purpose: 'outside of every block of nginx.conf, so that a binary upgrade (USR2) keeps the environment',
      text: variables.map(([name]) => `env ${name};\n`).join(''),
    },
    {
      part: 'server',
      path: '/etc/nginx/conf.d/signet.conf',
      purpose: 'the server, in the http block',
      text: nginxServer(wish),
    },
  ];
}

function nginxServer({ name, certificate, keyFile, engine, port, application }: NginxWish): string {
  const key =
    engine === undefined
      ? `# The reference PEM: "signet keys export --reference".\n    ssl_certificate_key ${keyFile};`
      : `# No file: the engine finds the key by its name ("signet keys list").\n    ssl_certificate_key "engine:signet:${engine}";`;
  return `server {
    listen ${port} ssl;
    server_name ${name};
    ssl_certificate ${certificate};
    ${key}
    ssl_protocols TLSv1.2 TLSv1.3;
    # Static RSA needs a decryption, which no service of Signet's does.
    ssl_ciphers HIGH:!aNULL:!MD5:!kRSA;
    location / {
        proxy_pass http://${application};
    }
}
`;
}

export function haproxyFiles(wish: HaproxyWish, host: Host): ConfigFile[] {
  const config = '/etc/haproxy/signet.cfg';
  // As Debian's unit has them, and one file more.
  const options: [string, string] = ['EXTRAOPTS', `-S /run/haproxy-master.sock -f ${config}`];
  const { chroot } = wish;
  const folders = [...new Set(host.sockets.map((socket) => dirname(socket)))];
  const binds = chroot === undefined ? [] : folders.map((folder) => bindPath(folder, chroot));
  return [
    opensslConf(wish.opensslConf, host),
    dropIn('haproxy', [['OPENSSL_CONF', wish.opensslConf], options], binds),
    { part: 'server', path: config, purpose: 'read after haproxy.cfg', text: haproxyServer(wish) },
  ];
}

/** After chroot(2) the socket's path leads elsewhere: the folder is there as well. */
function bindPath(folder: string, chroot: string): string {
  return `# The sockets within ${chroot}, where HAProxy locks itself up.\nBindPaths=${folder}:${join(chroot, folder)}`;
}

function haproxyServer({ certificate, port, application, async: isAsync }: HaproxyWish): string {
  const asynchronous = `    # Goes on with other handshakes while a signature is made. HAProxy does not count the descriptors that this takes, one for each
    # handshake that waits; the pipes make room for them, two each.
    ssl-mode-async
    maxpipes 500
`;
  return `global
${isAsync ? asynchronous : ''}    ssl-default-bind-options ssl-min-ver TLSv1.2
    # Static RSA needs a decryption, which no service of Signet's does.
    ssl-default-bind-ciphers HIGH:!aNULL:!MD5:!kRSA

defaults signet
    mode http
    timeout connect 5s
    # Longer than timeout_ms of the provider.
    timeout client 30s
    timeout server 30s

frontend signet from signet
    # One file: certificate, its chain, and the reference PEM ("signet keys export --reference").
    bind :${port} ssl crt ${certificate}
    default_backend signet-application

backend signet-application from signet
    server application ${application}
`;
}

/** Of the configuration that Debian's unit starts HAProxy with. */
export function haproxyChroot(config = '/etc/haproxy/haproxy.cfg'): string | undefined {
  if (!existsSync(config)) return undefined;
  return /^\s*chroot\s+(\S+)/m.exec(readFileSync(config, 'utf8'))?.[1];
}

export function apacheFiles(wish: SiteWish, host: Host): ConfigFile[] {
  return [
    opensslConf(wish.opensslConf, host),
    dropIn('apache2', [['OPENSSL_CONF', wish.opensslConf]]),
    {
      part: 'server',
      path: '/etc/apache2/sites-available/signet.conf',
      purpose: 'then "a2enmod ssl proxy_http" and "a2ensite signet"; ports.conf says Listen',
      text: apacheServer(wish),
    },
  ];
}

function apacheServer({ name, certificate, keyFile, port, application }: SiteWish): string {
  return `<VirtualHost *:${port}>
    ServerName ${name}
    SSLEngine on
    SSLProtocol -all +TLSv1.2 +TLSv1.3
    # Static RSA needs a decryption, which no service of Signet's does.
    SSLCipherSuite HIGH:!aNULL:!MD5:!kRSA
    SSLCertificateFile ${certificate}
    # The reference PEM: "signet keys export --reference".
    SSLCertificateKeyFile ${keyFile}
    ProxyPass "/" "http://${application}/"
</VirtualHost>
`;
}
