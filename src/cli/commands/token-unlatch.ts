import type { Command } from 'commander';
import type { Config } from '../../config/schema.js';
import { act, type Cli, type GlobalOptions, talk } from '../cli.js';
import { asConfiguration, CliError } from '../cli-error.js';
import { configOf } from '../configured.js';

/** In the running service, or in the file that the next one reads. */
export function registerTokenUnlatch(token: Command, cli: Cli): void {
  const command = token
    .command('unlatch')
    .description(
      'let a PIN be tried that the token has refused, or once although it warns that the next wrong one locks it',
    )
    .argument('<token>', 'its name in the configuration');
  act(command, cli, (options) => unlatch(command.processedArgs[0] as string, options, cli));
}

async function unlatch(token: string, options: GlobalOptions, cli: Cli) {
  const config = await configOf(options, cli);
  const names = config.tokens.map(({ name }) => name);
  if (!names.includes(token)) throw new CliError('usage', `expected one of ${names.join(', ')}; "${token}" came`);
  const inService = await unlatchInService(config, token);
  const wasLatched = inService ?? (await unlatchInFile(config, token));
  const who = inService === undefined ? 'the service that starts within 10 minutes' : 'the service, at once';
  talk(cli, `${wasLatched ? 'the latch is open' : 'no PIN was latched'}: the PIN may be tried by ${who}`);
  return { data: { token, was_latched: wasLatched, service: inService !== undefined }, text: '' };
}

/** Undefined if no service runs. */
async function unlatchInService(config: Config, token: string): Promise<boolean | undefined> {
  const { ask, onAdminSocket } = await import('../service.js');
  try {
    return (await onAdminSocket(config, (admin) => ask(admin, admin.unlatchToken, { token }))).wasLatched;
  } catch (thrown) {
    if (CliError.from(thrown).word === 'unreachable') return undefined;
    throw thrown;
  }
}

async function unlatchInFile({ state_dir }: Config, token: string): Promise<boolean> {
  const { LatchFile } = await import('../../latch/latch-file.js');
  return asConfiguration(() => new LatchFile(state_dir).release(token));
}
