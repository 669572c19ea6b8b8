import type { Command } from 'commander';
import { act, type Cli, type GlobalOptions, talk } from '../cli.js';
import { configurationError } from '../cli-error.js';
import { configFileOf } from '../configured.js';

export function registerCheck(program: Command, cli: Cli): void {
  const command = program
    .command('check')
    .description('check the configuration file and the files that it names')
    .argument('[file]', 'the configuration file, in the place of --config');
  act(command, cli, (options) => {
    const named = command.processedArgs[0] as string | undefined;
    return check(named === undefined ? options : { ...options, config: named }, cli);
  });
}

async function check(options: GlobalOptions, cli: Cli) {
  const file = configFileOf(options, cli);
  const { checkConfig } = await import('../../config/check.js');
  const { ok, problems } = checkConfig(file);
  if (ok) {
    talk(cli, `${file} is right`);
    return { data: { file, ok, problems }, text: '' };
  }
  throw configurationError(problems);
}
