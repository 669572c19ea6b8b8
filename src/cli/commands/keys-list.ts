import type { Command } from 'commander';
import { act, type Cli, talk } from '../cli.js';
import { configOf, type TokenOptions, useToken } from '../configured.js';
import { type KeyFacts, keyFacts, keyLine } from '../key-facts.js';
import { socketOption, tokenOption } from '../key-options.js';

interface Options extends TokenOptions {
  readonly service?: boolean;
  readonly socket?: string;
}

export function registerKeysList(keys: Command, cli: Cli): void {
  const command = keys
    .command('list')
    .description('list the keys of the token, offline with the PIN')
    .option('--service', 'ask the running service instead: the keys that you may use');
  act<Options>(socketOption(tokenOption(command)), cli, async (options) => {
    const facts = options.service === true ? await listFromService(options, cli) : await listFromToken(options, cli);
    if (facts.length === 0) talk(cli, 'no keys');
    return { data: { keys: facts }, text: facts.map((key) => `${keyLine(key)}\n`).join('') };
  });
}

async function listFromService(options: Options, cli: Cli): Promise<KeyFacts[]> {
  const config = await configOf(options, cli);
  const [{ onKeySocket }, { listServiceKeys }] = await Promise.all([
    import('../service.js'),
    import('../service-keys.js'),
  ]);
  return (await onKeySocket(config, options.socket, listServiceKeys)).map(keyFacts);
}

async function listFromToken(options: Options, cli: Cli): Promise<KeyFacts[]> {
  const { listKeys } = await import('../../token-admin/token-keys.js');
  return useToken(options, cli, (session) => {
    const { keys, unusable } = listKeys(session);
    for (const { label, id, reason } of unusable) talk(cli, `not usable: "${label}" id:${id}: ${reason}`);
    return keys.map(keyFacts);
  });
}
