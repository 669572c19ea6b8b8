import type { Command } from 'commander';
import { act, type Cli, type GlobalOptions, talk } from '../cli.js';
import { configOf } from '../configured.js';

export function registerDrain(program: Command, cli: Cli): void {
  const command = program.command('drain').description('have the running service answer what is in flight, and end');
  act(command, cli, (options) => drain(options, cli));
}

async function drain(options: GlobalOptions, cli: Cli) {
  const config = await configOf(options, cli);
  const { ask, onAdminSocket } = await import('../service.js');
  return onAdminSocket(config, async (admin) => {
    const { pid } = await ask(admin, admin.getStatus, {});
    await ask(admin, admin.drain, {});
    talk(cli, `the service with pid ${pid} answers what is in flight, and ends`);
    return { data: { pid }, text: '' };
  });
}
