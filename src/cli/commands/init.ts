import type { Command } from 'commander';
import { act, type Cli, talk } from '../cli.js';
import type { InitOptions } from '../init-folder.js';

export function registerInit(program: Command, cli: Cli): void {
  const command = program
    .command('init')
    .description('make a folder with a new SoftHSM token, random PINs and a configuration that starts as it is')
    .argument('[folder]', 'where; it is made if it is not there', '.')
    .option('--token-label <label>', 'label of the new token, 1 to 32 bytes', 'signet')
    .option('--module <file>', 'the SoftHSM module (default: where distributions put it)');
  act<Omit<InitOptions, 'folder'>>(command, cli, async (options) => {
    const { initFolder } = await import('../init-folder.js');
    const made = await initFolder({ ...options, folder: command.processedArgs[0] as string });
    talk(cli, `made a token "${options.tokenLabel}" with random PINs, and ${made.config}`);
    talk(cli, 'next:');
    for (const args of NEXT) talk(cli, `  signet --config ${made.config} ${args}`);
    return { data: made, text: '' };
  });
}

const NEXT = ['keys generate --type p256 --label www', 'serve'] as const;
