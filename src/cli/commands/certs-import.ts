import { X509Certificate } from 'node:crypto';
import type { Command } from 'commander';
import type { KeyName } from '../../key-name.js';
import { chainFacts } from '../certificate-facts.js';
import { act, type Cli, talk } from '../cli.js';
import { CliError } from '../cli-error.js';
import { type TokenOptions, useToken } from '../configured.js';
import { readInput } from '../files.js';
import { keyFacts } from '../key-facts.js';
import { tokenOption } from '../key-options.js';
import { refreshService } from '../refresh-service.js';

interface Options extends TokenOptions {
  readonly in: string;
}

export function registerCertsImport(certs: Command, cli: Cli): void {
  const command = certs
    .command('import')
    .description('store a certificate chain (PEM, leaf first) on the token that holds its key')
    .requiredOption('--in <file>', 'the chain; - for stdin');
  act<Options>(tokenOption(command), cli, (options) => importChain(options, cli));
}

async function importChain(options: Options, cli: Cli) {
  const chain = parseChain((await readInput(options.in, cli, CHAIN_BYTES_MAX)).toString('latin1'), options.in);
  const [{ spkiSha256Of, storeChain }, { findKey }] = await Promise.all([
    import('../../token-admin/certificates.js'),
    import('../../token-admin/token-keys.js'),
  ]);
  return useToken(options, cli, async (session, config) => {
    const name: KeyName = { by: 'spki', value: spkiSha256Of(chain[0]) };
    const key = findKey(session, name);
    storeChain(session, key, chain);
    talk(cli, `stored on the token as the certificate of "${key.label}"`);
    await refreshService(config, cli);
    return { data: { ...keyFacts(key), ...chainFacts(chain) }, text: '' };
  });
}

/** Eight certificates of 16 KiB, as PEM with comments. */
const CHAIN_BYTES_MAX = 262_144;

function parseChain(pem: string, file: string): readonly [X509Certificate, ...X509Certificate[]] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  try {
    const [leaf, ...issuers] = blocks.map((block) => new X509Certificate(block));
    if (leaf) return [leaf, ...issuers];
  } catch {
    // Said below, without OpenSSL's own words.
  }
  throw new CliError('usage', `expected certificates as PEM in ${file}, leaf first; what came does not parse`);
}
