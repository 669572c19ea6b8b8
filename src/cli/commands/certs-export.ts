import type { Command } from 'commander';
import { chainFacts } from '../certificate-facts.js';
import { act, type Cli } from '../cli.js';
import { CliError } from '../cli-error.js';
import { type TokenOptions, useToken } from '../configured.js';
import { deliver } from '../files.js';
import { type KeyOptions, outOption, requireKeyOption, tokenOption } from '../key-options.js';

interface Options extends TokenOptions, KeyOptions {
  readonly out?: string;
}

export function registerCertsExport(certs: Command, cli: Cli): void {
  const command = requireKeyOption(certs.command('export')).description(
    'write the certificate chain of a key (PEM, leaf first), as far up as the token has it, without the root',
  );
  act<Options>(outOption(tokenOption(command)), cli, (options) => exportChain(options, cli));
}

async function exportChain(options: Options, cli: Cli) {
  const [{ readChain, servedChain }, { findKey }] = await Promise.all([
    import('../../token-admin/certificates.js'),
    import('../../token-admin/token-keys.js'),
  ]);
  return useToken(options, cli, (session) => {
    const key = findKey(session, options.key);
    const chain = readChain(session, key);
    if (chain.length === 0) throw new CliError('not_found', `the token has no certificate of the key "${key.label}"`);
    const facts = chainFacts(servedChain(chain));
    return deliver(facts.pem, facts, options.out, cli);
  });
}
