import { type Command, Option } from 'commander';
import type { ReferenceForm } from '../../reference-pem.js';
import { act, type Cli, talk } from '../cli.js';
import { CliError } from '../cli-error.js';
import { configOf, type TokenOptions, useToken } from '../configured.js';
import { deliver } from '../files.js';
import { keyFacts, publicPem } from '../key-facts.js';
import { type KeyOptions, outOption, requireKeyOption, socketOption, tokenOption } from '../key-options.js';
import type { ServiceKey } from '../service-keys.js';

interface Options extends TokenOptions, KeyOptions {
  readonly reference?: boolean;
  readonly public?: boolean;
  readonly form?: ReferenceForm;
  readonly rsaPss?: boolean;
  readonly service?: boolean;
  readonly socket?: string;
  readonly out?: string;
}

export function registerKeysExport(keys: Command, cli: Cli): void {
  const command = requireKeyOption(keys.command('export'))
    .description('write what stands for a key outside: its reference PEM, or its public key; never the private key')
    .addOption(new Option('--reference', 'the reference PEM, for ssl_certificate_key and the like').conflicts('public'))
    .option('--public', 'the public key, PEM')
    .addOption(
      new Option(
        '--form <form>',
        'of the reference: own (SIGNET KEY REFERENCE), or pkcs8 (PRIVATE KEY, for tools that insist on it; it holds no private key)',
      )
        .choices(['own', 'pkcs8'])
        .conflicts('public'),
    )
    .addOption(
      new Option('--rsa-pss', 'mark the reference: an RSA key for certificates of type rsassaPss').conflicts('public'),
    )
    .option('--service', 'ask the running service instead of opening the token');
  act<Options>(outOption(socketOption(tokenOption(command))), cli, (options) => exportKey(options, cli));
}

async function exportKey(options: Options, cli: Cli) {
  if (!wantsReference(options) && !options.public) {
    throw new CliError('usage', 'say what to export: --reference or --public');
  }
  const key = options.service === true ? await keyFromService(options, cli) : await keyFromToken(options, cli);
  const pem = options.public === true ? publicPem(key.key) : await referencePem(key, options);
  talk(cli, NO_PRIVATE_KEY);
  return deliver(pem, { ...keyFacts(key), pem }, options.out, cli);
}

const NO_PRIVATE_KEY =
  'this exports no private key data; the private key stays in the token, and no command takes it out';

function wantsReference({ reference, form, rsaPss }: Options): boolean {
  return reference === true || form !== undefined || rsaPss === true;
}

async function referencePem(key: ServiceKey, { form = 'own', rsaPss = false }: Options): Promise<string> {
  if (rsaPss && key.key.type !== 'rsa') {
    throw new CliError('usage', `--rsa-pss: expected an RSA key; "${key.label}" is of type ${key.key.type}`);
  }
  const { writeReferencePem } = await import('../../reference-pem.js');
  return writeReferencePem(key.key, key.label, { form, rsaPss });
}

async function keyFromService(options: Options, cli: Cli): Promise<ServiceKey> {
  const config = await configOf(options, cli);
  const [{ onKeySocket }, { getServiceKey }] = await Promise.all([
    import('../service.js'),
    import('../service-keys.js'),
  ]);
  return onKeySocket(config, options.socket, (keys) => getServiceKey(keys, options.key));
}

async function keyFromToken(options: Options, cli: Cli): Promise<ServiceKey> {
  const { findKey } = await import('../../token-admin/token-keys.js');
  return useToken(options, cli, (session) => findKey(session, options.key));
}
