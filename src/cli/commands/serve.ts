import type { Command } from 'commander';
import { act, type Cli } from '../cli.js';
import { asConfiguration } from '../cli-error.js';
import { configFileOf } from '../configured.js';

export function registerServe(program: Command, cli: Cli): void {
  const command = program.command('serve').description('run the service until SIGTERM');
  act(command, cli, async (options) => {
    const file = configFileOf(options, cli);
    const { serve } = await import('../../service.js');
    await asConfiguration(() => serve(file));
    return undefined;
  });
}
