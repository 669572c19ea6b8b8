import type { Command } from 'commander';
import type { TokenOptions } from './configured.js';
import { collect, countArgument } from './key-options.js';

export interface NameOptions extends TokenOptions {
  readonly subject?: string;
  readonly dns: readonly string[];
  readonly ip: readonly string[];
}

export interface DaysOptions {
  readonly days?: number;
}

/** Whom a certificate or request is for. */
export function nameOptions(command: Command): Command {
  return command
    .option('--subject <name>', 'such as "CN=www.example.org,O=Example" (default: CN is the first of the other names)')
    .option('--dns <name>', 'a DNS name; may come several times', collect, [])
    .option('--ip <address>', 'an IP address; may come several times', collect, []);
}

/** `otherwise` tells the default, which the command knows. */
export function daysOption(command: Command, otherwise: string): Command {
  return command.option('--days <number>', `how long it is valid (default: ${otherwise})`, countArgument);
}
