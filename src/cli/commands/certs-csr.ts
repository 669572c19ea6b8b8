import type { Command } from 'commander';
import { type NameOptions, nameOptions } from '../certificate-options.js';
import { act, type Cli } from '../cli.js';
import { useToken } from '../configured.js';
import { deliver } from '../files.js';
import { keyFacts } from '../key-facts.js';
import { type KeyOptions, outOption, requireKeyOption, tokenOption } from '../key-options.js';

interface Options extends NameOptions, KeyOptions {
  readonly out?: string;
}

export function registerCertsCsr(certs: Command, cli: Cli): void {
  const command = requireKeyOption(certs.command('csr')).description(
    'make a certification request (PKCS#10, PEM) for a key',
  );
  act<Options>(outOption(tokenOption(nameOptions(command))), cli, (options) => request(options, cli));
}

async function request(options: Options, cli: Cli) {
  const [{ createRequest }, { findKey }, { tokenSigner }] = await Promise.all([
    import('../../x509/certificate-request.js'),
    import('../../token-admin/token-keys.js'),
    import('../token-signer.js'),
  ]);
  return useToken(options, cli, async (session) => {
    const key = findKey(session, options.key);
    const pem = await createRequest(tokenSigner(session, key), options, key.label);
    return deliver(pem, { ...keyFacts(key), pem }, options.out, cli);
  });
}
