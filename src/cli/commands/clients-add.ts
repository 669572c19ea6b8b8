import type { Command } from 'commander';
import { apiKeySha256, newApiKey } from '../../api-key.js';
import { act, type Cli, talk } from '../cli.js';
import { CliError } from '../cli-error.js';

export function registerClientsAdd(clients: Command, cli: Cli): void {
  const command = clients
    .command('add')
    .description('make an API key for a service that speaks gRPC; it is printed this once')
    .argument('<name>', 'the name of the principal');
  act(command, cli, () => add(command.processedArgs[0] as string, cli));
}

/** The key is data, for a file or a secret store; what the configuration needs is talk. */
async function add(name: string, cli: Cli) {
  const { name: nameForm } = await import('../../config/schema.js');
  const wrong = nameForm.safeParse(name).error?.issues[0]?.message;
  if (wrong) throw new CliError('usage', `expected ${wrong}; "${name}" came`);
  const apiKey = newApiKey();
  const principal = { name, api_key_sha256: apiKeySha256(apiKey) };
  talk(cli, 'the key stands nowhere else; a call presents it as "authorization: Bearer KEY". Under principals: say');
  talk(cli, `  - { name: ${principal.name}, api_key_sha256: ${principal.api_key_sha256} }`);
  return { data: { api_key: apiKey, principal }, text: `${apiKey}\n` };
}
