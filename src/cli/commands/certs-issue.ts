import type { Command } from 'commander';
import type { KeyName } from '../../key-name.js';
import type { Session } from '../../token-admin/open-token.js';
import type { TokenKey } from '../../token-admin/token-keys.js';
import { chainFacts } from '../certificate-facts.js';
import { type DaysOptions, daysOption, type NameOptions, nameOptions } from '../certificate-options.js';
import { act, type Cli, talk } from '../cli.js';
import { CliError } from '../cli-error.js';
import { useToken } from '../configured.js';
import { deliver } from '../files.js';
import { type KeyOptions, keyNameArgument, outOption, requireKeyOption, tokenOption } from '../key-options.js';
import { refreshService } from '../refresh-service.js';

interface Options extends NameOptions, DaysOptions, KeyOptions {
  readonly ca: KeyName;
  readonly out?: string;
}

const DAYS_DEFAULT = 90;

export function registerCertsIssue(certs: Command, cli: Cli): void {
  const command = requireKeyOption(certs.command('issue'))
    .description('issue a certificate for a key with a CA key of the same token, and store the chain there')
    .requiredOption('--ca <key>', 'the CA key, named as --key is', keyNameArgument);
  const whole = outOption(tokenOption(daysOption(nameOptions(command), String(DAYS_DEFAULT))));
  act<Options>(whole, cli, (options) => issueChain(options, cli));
}

async function issueChain(options: Options, cli: Cli) {
  if (options.dns.length + options.ip.length === 0) {
    throw new CliError('usage', 'name what the certificate is for: --dns NAME or --ip ADDRESS, as often as needed');
  }
  const [{ servedChain, storeChain }, { findKey }] = await Promise.all([
    import('../../token-admin/certificates.js'),
    import('../../token-admin/token-keys.js'),
  ]);
  return useToken(options, cli, async (session, config) => {
    const key = findKey(session, options.key);
    const chain = await signChain(session, findKey(session, options.ca), key, options);
    storeChain(session, key, chain);
    talk(cli, `stored on the token as the certificate of "${key.label}"`);
    await refreshService(config, cli);
    const facts = chainFacts(servedChain(chain));
    return deliver(facts.pem, facts, options.out, cli);
  });
}

/** The new leaf and what stands above it. */
async function signChain(session: Session, ca: TokenKey, key: TokenKey, options: Options) {
  const [{ issue }, { readChain }, { tokenSigner }] = await Promise.all([
    import('../../x509/certificate.js'),
    import('../../token-admin/certificates.js'),
    import('../token-signer.js'),
  ]);
  const [caCertificate, ...above] = readChain(session, ca);
  if (!caCertificate) {
    const hint = `make one: signet certs self-sign --ca --key "label:${ca.label}"`;
    throw new CliError('not_found', `the token has no certificate of the CA key "${ca.label}"; ${hint}`);
  }
  const wish = { names: options, label: key.label, days: options.days ?? DAYS_DEFAULT };
  return [await issue(tokenSigner(session, ca), caCertificate, key.key, wish), caCertificate, ...above];
}
