import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { type Answer, act, type Cli, talk } from '../cli.js';

interface Options {
  readonly async?: boolean;
  readonly opensslConf: string;
  readonly library: string;
}

/** Where packages put it, and where `make build` does; `src/` and `dist/` both lie in the root of the project. */
const INSTALLED = '/usr/lib/signet/signet_async.so';
const BUILT = fileURLToPath(new URL('../../../build/native/signet_async.so', import.meta.url));

export function registerConfigNginx(parent: Command, cli: Cli): void {
  const command = parent
    .command('nginx')
    .description("print the systemd drop-in for NGINX's unit, with the lines for nginx.conf in it as comments")
    .option('--async', 'NGINX goes on with other connections while a signature is made')
    .option('--openssl-conf <file>', 'the openssl.cnf that loads the provider', '/etc/signet/openssl.cnf')
    .option('--library <file>', 'the preload library', existsSync(INSTALLED) ? INSTALLED : BUILT);
  act<Options>(command, cli, async (options, cli) => configNginx(options, cli));
}

function configNginx(options: Options, cli: Cli): Answer {
  const { opensslConf, library } = options;
  const variables: [string, string][] = [['OPENSSL_CONF', opensslConf]];
  if (options.async) variables.push(['LD_PRELOAD', library]);
  if (options.async && !existsSync(library)) talk(cli, `${library} is not there: NGINX would start without it`);
  return { data: { environment: Object.fromEntries(variables) }, text: dropIn(variables) };
}

function dropIn(variables: readonly [string, string][]): string {
  return `# systemd: /etc/systemd/system/nginx.service.d/signet.conf; then "systemctl daemon-reload" and "systemctl restart nginx".
#
# nginx.conf, outside of every block, so that a binary upgrade (USR2) keeps them:
${variables.map(([name]) => `#   env ${name};\n`).join('')}
[Service]
${variables.map(([name, value]) => `Environment="${name}=${escaped(value)}"\n`).join('')}`;
}

/** systemd.unit(5), specifiers, and systemd.syntax(7), quoting. */
function escaped(value: string): string {
  return value.replaceAll('%', '%%').replaceAll('\\', '\\\\').replaceAll('"', '\\"');
}
