import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { Command } from 'commander';
import { act, type Cli, talk } from '../cli.js';
import { CliError } from '../cli-error.js';
import { type TokenOptions, useToken } from '../configured.js';
import { readFile, readInput } from '../files.js';
import { keyFacts, keyLine } from '../key-facts.js';
import { labelArgument, tokenOption } from '../key-options.js';
import { refreshService } from '../refresh-service.js';

interface Options extends TokenOptions {
  readonly in: string;
  readonly label: string;
  readonly passphraseFile?: string;
}

export function registerKeysImport(keys: Command, cli: Cli): void {
  const command = keys
    .command('import')
    .description('put the private key of a PEM file into the token')
    .requiredOption('--in <file>', 'PEM: PKCS#8, or traditional RSA or EC, also encrypted; - for stdin')
    .requiredOption('--label <name>', 'name of the key; no other key on the token may have it', labelArgument)
    .option('--passphrase-file <file>', 'file whose first line is the passphrase of an encrypted PEM');
  act<Options>(tokenOption(command), cli, (options) => importPem(options, cli));
}

async function importPem(options: Options, cli: Cli) {
  const secret = privateKeyOf(await readInput(options.in, cli, PEM_BYTES_MAX), options);
  const { importKey } = await import('../../token-admin/import-key.js');
  return useToken(options, cli, async (session, config) => {
    const facts = keyFacts(importKey(session, secret, options.label));
    const where = options.in === '-' ? 'where it came from' : options.in;
    talk(cli, `the key is in the token now; destroy every copy of it outside: ${where} and its backups`);
    await refreshService(config, cli);
    return { data: facts, text: `${keyLine(facts)}\n` };
  });
}

/** Far more than a key of RSA-4096 with headers takes. */
const PEM_BYTES_MAX = 65_536;

/** Says nothing of what the file holds: OpenSSL's own words could. */
function privateKeyOf(pem: Buffer, options: Options): KeyObject {
  const text = pem.toString('latin1');
  const passphrase = options.passphraseFile === undefined ? undefined : firstLineOf(options.passphraseFile);
  if (/ENCRYPTED/.test(text) && passphrase === undefined) {
    throw new CliError(
      'usage',
      `${options.in} is encrypted; name the file that holds its passphrase with --passphrase-file`,
    );
  }
  try {
    return createPrivateKey(passphrase === undefined ? { key: pem } : { key: pem, passphrase });
  } catch {
    const reason =
      passphrase === undefined ? 'what came does not parse' : 'what came does not parse, or not with this passphrase';
    throw new CliError('usage', `expected one private key as PEM in ${options.in}; ${reason}`);
  } finally {
    pem.fill(0);
  }
}

function firstLineOf(file: string): string {
  return readFile(file).toString('utf8').split(/\r?\n/, 1)[0] ?? '';
}
