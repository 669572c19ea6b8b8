import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { type Answer, act, type Cli, type GlobalOptions } from '../cli.js';
import { CliError } from '../cli-error.js';
import { configFileOf, hasConfig } from '../configured.js';
import { type Finding, fault, fine, lineOf } from '../doctor/finding.js';
import type { ProviderConf } from '../doctor/provider-findings.js';
import type { ServerProcess } from '../doctor/server-processes.js';

interface Options extends GlobalOptions {
  readonly opensslConf?: string;
  readonly certificate?: string;
  readonly keyFile?: string;
  readonly nginxConf?: string;
}

export function registerDoctor(program: Command, cli: Cli): void {
  const command = program
    .command('doctor')
    .description('look at all that a handshake needs on this machine, and say what to do about what is wrong')
    .option(
      '--openssl-conf <file>',
      'the openssl.cnf of the server (default: that of the running ones, OPENSSL_CONF, /etc/signet/openssl.cnf)',
    )
    .option('--certificate <file>', 'a certificate, with --key-file')
    .option('--key-file <file>', 'the reference PEM that goes with it')
    .option(
      '--nginx-conf <file>',
      "NGINX's configuration, for the certificates that it names (default: where it usually is)",
    );
  act<Options>(command, cli, doctor);
}

/** Exit 1 if there is a fault, which the findings tell. */
async function doctor(options: Options, cli: Cli): Promise<Answer> {
  const findings = [
    ...(await hostFindings(options, cli)),
    ...(await serviceFindings(options, cli)),
    ...(await pairFindings(options)),
  ];
  const faults = findings.filter(({ level }) => level === 'fault').length;
  const warnings = findings.filter(({ level }) => level === 'warning').length;
  const text = `${findings.map(lineOf).join('')}${faults} faults, ${warnings} warnings\n`;
  return { data: { faults, warnings, findings }, text, exit: faults > 0 ? 'failed' : 'ok' };
}

/** What every web server on this machine has to do with: its openssl.cnf, its sockets, itself. */
async function hostFindings(options: Options, cli: Cli): Promise<Finding[]> {
  const [{ lookAtOpensslConf }, { lookAtSocket }, { findServers }, { lookAtServer }] = await Promise.all([
    import('../doctor/provider-findings.js'),
    import('../doctor/socket-findings.js'),
    import('../doctor/server-processes.js'),
    import('../doctor/server-findings.js'),
  ]);
  const { processes, hidden } = findServers();
  const named = options.opensslConf ?? cli.env.OPENSSL_CONF;
  const running = processes.flatMap(({ opensslConf }) => opensslConf ?? []);
  const files =
    named !== undefined
      ? [named]
      : running.length > 0
        ? [...new Set(running)]
        : DEFAULT_CONFS.filter((file) => existsSync(file));
  const confs = new Map(files.map((file) => [file, lookAtOpensslConf(file)]));
  const sockets = [...new Set([...confs.values()].flatMap((conf) => conf.sockets))];
  return [
    ...[...confs.values()].flatMap((conf) => conf.findings),
    ...(await Promise.all(sockets.map(lookAtSocket))),
    ...processes.flatMap((server) => lookAtServer(server, socketsOf(server, confs, sockets))),
    ...serversSeen(processes.length, hidden),
  ];
}

/** Those of its own openssl.cnf; where that is not known, all. */
function socketsOf({ opensslConf }: ServerProcess, confs: ReadonlyMap<string, ProviderConf>, all: readonly string[]) {
  if (opensslConf === undefined) return all;
  return confs.get(opensslConf)?.sockets ?? [];
}

const DEFAULT_CONFS = ['/etc/signet/openssl.cnf'];

function serversSeen(seen: number, hidden: number): Finding[] {
  if (hidden > 0) return [fine('provider-loaded', `${hidden} more servers of other users: only root may look at them`)];
  return seen > 0 ? [] : [fine('provider-loaded', 'no NGINX, HAProxy or Apache runs on this machine')];
}

/** What the service of this machine has to do with, if there is one. */
async function serviceFindings(options: Options, cli: Cli): Promise<Finding[]> {
  if (!hasConfig(options, cli)) return [];
  const file = configFileOf(options, cli);
  const [{ checkConfig }, { loadConfig }, service] = await Promise.all([
    import('../../config/check.js'),
    import('../../config/load.js'),
    import('../doctor/service-findings.js'),
  ]);
  const { ok, problems } = checkConfig(file);
  if (!ok)
    return problems.map((problem) =>
      fault('configuration', problem, `correct ${file}; "signet check" tells when it is right`),
    );
  const config = loadConfig(file);
  const tokens = await service.lookAtTokens(config);
  const tried = tokens.some(({ level }) => level === 'fault') ? [] : await service.tryKeys(config);
  return [
    fine('configuration', `${file} is right`),
    ...tokens,
    ...tried,
    ...(await catalogueFindings(config.catalogue_file)),
  ];
}

async function catalogueFindings(file: string): Promise<Finding[]> {
  if (!existsSync(file)) return [];
  const [{ keysInCatalogue }, { lookAtCatalogueKey }] = await Promise.all([
    import('../catalogue-keys.js'),
    import('../doctor/certificate-findings.js'),
  ]);
  return (await keysInCatalogue(file)).flatMap((key) => lookAtCatalogueKey(key, Date.now()));
}

async function pairFindings({ certificate, keyFile, nginxConf }: Options): Promise<Finding[]> {
  if ((certificate === undefined) !== (keyFile === undefined)) {
    throw new CliError('usage', '--certificate and --key-file go together: say both');
  }
  const [{ lookAtPair }, { nginxPairs }] = await Promise.all([
    import('../doctor/certificate-findings.js'),
    import('../doctor/nginx-pairs.js'),
  ]);
  const named = certificate === undefined || keyFile === undefined ? [] : [{ certificate, keyFile, place: '' }];
  return [...named, ...nginxPairs(nginxConf)].flatMap((pair) => lookAtPair(pair, Date.now()));
}
