import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { act, type Cli, type GlobalOptions, talk } from '../cli.js';
import { CliError } from '../cli-error.js';
import { type ConfigFile, pageOf } from '../server-config/config-file.js';
import { type Host, hostOf, installedOrBuilt } from '../server-config/host.js';
import { opensslConf } from '../server-config/openssl-conf.js';
import {
  apacheFiles,
  type HaproxyWish,
  haproxyChroot,
  haproxyFiles,
  type NginxWish,
  nginxFiles,
  type SiteWish,
} from '../server-config/servers.js';

interface CommonOptions extends GlobalOptions {
  readonly opensslConf: string;
  readonly sockets?: string;
  readonly part?: string;
}

const PRELOAD_PLACES = ['/usr/lib/signet/signet_async.so'];

/** `signet config nginx|haproxy|apache|openssl`. */
export function registerConfigServers(parent: Command, cli: Cli): void {
  registerNginx(parent, cli);
  registerHaproxy(parent, cli);
  const apache = siteOptions(serverOptions(described(parent, 'apache', "Apache's"), '/etc/signet/www.crt'));
  prints<CommonOptions & SiteWish>(apache, cli, apacheFiles);
  const openssl = parent
    .command('openssl')
    .description('print the openssl.cnf with which programs on OpenSSL use the keys');
  prints<CommonOptions>(openssl, cli, (options, host) => [opensslConf(options.opensslConf, host)]);
}

function registerNginx(parent: Command, cli: Cli): void {
  const command = siteOptions(serverOptions(described(parent, 'nginx', "NGINX's"), '/etc/signet/www.crt'))
    .option(
      '--engine <key>',
      'the key by its name in the OpenSSL engine, such as label_www, instead of the reference PEM',
    )
    .option('--async', 'it goes on with other connections while a signature is made', false)
    .option('--library <file>', 'the preload library', installedOrBuilt('signet_async.so', PRELOAD_PLACES));
  prints<CommonOptions & NginxWish>(command, cli, (options, host) => {
    const { async: isAsync, library } = options;
    if (isAsync && !existsSync(library)) talk(cli, `${library} is not there: NGINX would start without it`);
    return nginxFiles(options, host);
  });
}

function registerHaproxy(parent: Command, cli: Cli): void {
  const command = serverOptions(described(parent, 'haproxy', "HAProxy's"), '/etc/signet/www.pem')
    .option('--no-async', 'it waits for each signature')
    .option('--chroot <folder>', 'where it locks itself up (default: what /etc/haproxy/haproxy.cfg says)');
  prints<CommonOptions & HaproxyWish>(command, cli, (options, host) =>
    haproxyFiles({ ...options, chroot: options.chroot ?? haproxyChroot() }, host),
  );
}

function described(parent: Command, name: string, whose: string): Command {
  const description = `print ${whose} configuration for this machine: openssl.cnf, the systemd drop-in, the server`;
  return parent.command(name).description(description);
}

function serverOptions(command: Command, certificate: string): Command {
  return command
    .option('--certificate <file>', 'the certificate and its chain', certificate)
    .option('--port <port>', 'the port to listen on', '443')
    .option('--application <address>', 'where the pages come from, HOST:PORT', '127.0.0.1:8080');
}

function siteOptions(command: Command): Command {
  return command
    .option('--key-file <file>', 'the reference PEM', '/etc/signet/www.key')
    .option('--name <name>', 'the name of the site', 'www.example.com');
}

/** What all of them take, and do. */
function prints<Options extends CommonOptions>(
  command: Command,
  cli: Cli,
  make: (options: Options, host: Host) => ConfigFile[],
): void {
  command
    .option('--openssl-conf <file>', 'where the openssl.cnf goes', '/etc/signet/openssl.cnf')
    .option('--sockets <paths>', "the service's sockets, separated by : (default: those of its configuration)")
    .option('--part <part>', 'print one file alone: openssl, systemd, environment or server');
  act<Options>(command, cli, async (options, cli) => {
    const files = make(options, await hostOf(options, cli));
    if (options.part === undefined) return { data: { files }, text: pageOf(files) };
    const only = files.find(({ part }) => part === options.part);
    if (only) return { data: { files: [only] }, text: only.text };
    const parts = files.map(({ part }) => part).join(', ');
    throw new CliError('usage', `--part: expected one of ${parts}; "${options.part}" came`);
  });
}
