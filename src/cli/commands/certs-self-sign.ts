import type { Command } from 'commander';
import { chainFacts } from '../certificate-facts.js';
import { type DaysOptions, daysOption, type NameOptions, nameOptions } from '../certificate-options.js';
import { act, type Cli, talk } from '../cli.js';
import { useToken } from '../configured.js';
import { deliver } from '../files.js';
import { type KeyOptions, outOption, requireKeyOption, tokenOption } from '../key-options.js';
import { refreshService } from '../refresh-service.js';

interface Options extends NameOptions, DaysOptions, KeyOptions {
  readonly ca?: boolean;
  readonly out?: string;
}

const DAYS_DEFAULT = 365;
const CA_DAYS_DEFAULT = 3_650;

export function registerCertsSelfSign(certs: Command, cli: Cli): void {
  const command = requireKeyOption(certs.command('self-sign'))
    .description('make a self-signed certificate for a key and store it on the token in the place of an earlier one')
    .option('--ca', 'make it the certificate of a CA, for `signet certs issue`');
  const whole = outOption(
    tokenOption(daysOption(nameOptions(command), `${DAYS_DEFAULT}; ${CA_DAYS_DEFAULT} with --ca`)),
  );
  act<Options>(whole, cli, (options) => makeSelfSigned(options, cli));
}

async function makeSelfSigned(options: Options, cli: Cli) {
  const [{ selfSign }, { findKey }, { storeChain }, { tokenSigner }] = await Promise.all([
    import('../../x509/certificate.js'),
    import('../../token-admin/token-keys.js'),
    import('../../token-admin/certificates.js'),
    import('../token-signer.js'),
  ]);
  return useToken(options, cli, async (session, config) => {
    const key = findKey(session, options.key);
    const ca = options.ca === true;
    const days = options.days ?? (ca ? CA_DAYS_DEFAULT : DAYS_DEFAULT);
    const wish = { names: options, label: key.label, days, ca };
    const certificate = await selfSign(tokenSigner(session, key), wish);
    storeChain(session, key, [certificate]);
    talk(cli, `stored on the token as the certificate of "${key.label}"`);
    await refreshService(config, cli);
    const facts = chainFacts([certificate]);
    return deliver(facts.pem, facts, options.out, cli);
  });
}
