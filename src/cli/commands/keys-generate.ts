import { type Command, Option } from 'commander';
import type { KeyKind } from '../../token-admin/key-kinds.js';
import { act, type Cli, talk } from '../cli.js';
import { type TokenOptions, useToken } from '../configured.js';
import { keyFacts, keyLine } from '../key-facts.js';
import { labelArgument, tokenOption } from '../key-options.js';
import { refreshService } from '../refresh-service.js';

interface Options extends TokenOptions {
  readonly type: KeyKind;
  readonly label: string;
}

/** As in src/token-admin/key-kinds.ts, which is too heavy to load before it is needed; a test compares them. */
export const TYPE_CHOICES: readonly KeyKind[] = ['p256', 'p384', 'p521', 'rsa2048', 'rsa3072', 'rsa4096', 'ed25519'];

export function registerKeysGenerate(keys: Command, cli: Cli): void {
  const command = keys
    .command('generate')
    .description('make a key pair inside the token')
    .addOption(new Option('--type <type>', 'kind of key').choices([...TYPE_CHOICES]).makeOptionMandatory())
    .requiredOption('--label <name>', 'name of the new key; no other key on the token may have it', labelArgument);
  act<Options>(tokenOption(command), cli, (options) => generate(options, cli));
}

async function generate(options: Options, cli: Cli) {
  const { generateKey } = await import('../../token-admin/generate-key.js');
  return useToken(options, cli, async (session, config) => {
    const facts = keyFacts(generateKey(session, options.type, options.label));
    talk(cli, `made inside the token: sensitive, not extractable, for signatures only`);
    await refreshService(config, cli);
    return { data: facts, text: `${keyLine(facts)}\n` };
  });
}
