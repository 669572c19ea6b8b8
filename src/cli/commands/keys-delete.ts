import type { Command } from 'commander';
import { act, type Cli, talk } from '../cli.js';
import { CliError } from '../cli-error.js';
import { type TokenOptions, useToken } from '../configured.js';
import { keyFacts } from '../key-facts.js';
import { type KeyOptions, requireKeyOption, tokenOption } from '../key-options.js';
import { refreshService } from '../refresh-service.js';

interface Options extends TokenOptions, KeyOptions {
  readonly yes?: boolean;
}

export function registerKeysDelete(keys: Command, cli: Cli): void {
  const command = keys
    .command('delete')
    .description('destroy a key pair and its certificates on the token, for ever')
    .option('--yes', 'do it: without this option the command only says what it would destroy');
  act<Options>(tokenOption(requireKeyOption(command)), cli, (options) => destroy(options, cli));
}

async function destroy(options: Options, cli: Cli) {
  const [{ deleteKey }, { findKey }] = await Promise.all([
    import('../../token-admin/delete-key.js'),
    import('../../token-admin/token-keys.js'),
  ]);
  return useToken(options, cli, async (session, config) => {
    const key = findKey(session, options.key);
    const facts = keyFacts(key);
    const what = `"${facts.label}" (${facts.type}, spki:${facts.spki_sha256})`;
    if (options.yes !== true) {
      throw new CliError('usage', `this would destroy ${what} for ever; nothing was done. Add --yes to do it`);
    }
    const objects = deleteKey(session, key);
    talk(cli, `destroyed ${what}: ${objects} objects`);
    await refreshService(config, cli);
    return { data: { ...facts, objects_deleted: objects }, text: '' };
  });
}
