import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config, TokenConfig } from '../config/schema.js';
import type { Session } from '../token-admin/open-token.js';
import type { Cli, GlobalOptions } from './cli.js';
import { asConfiguration, CliError } from './cli-error.js';

/** Options of the commands that open the token themselves. */
export interface TokenOptions extends GlobalOptions {
  readonly token?: string;
}

/** The configuration file that holds: `--config`, SIGNET_CONFIG, or the first default that exists. */
export function configFileOf(options: GlobalOptions, cli: Cli): string {
  const file = findConfigFile(options, cli);
  if (file !== undefined) return resolve(file);
  const places = DEFAULT_CONFIG_FILES.join(' and ');
  throw new CliError(
    'configuration',
    `no configuration in ${places}: name one with --config, or make one with \`signet init\``,
  );
}

/** Whether there is one; the commands that say so work without. */
export function hasConfig(options: GlobalOptions, cli: Cli): boolean {
  return findConfigFile(options, cli) !== undefined;
}

function findConfigFile(options: GlobalOptions, cli: Cli): string | undefined {
  const named = options.config ?? (cli.env.SIGNET_CONFIG || undefined);
  return named ?? DEFAULT_CONFIG_FILES.find((candidate) => existsSync(candidate));
}

const DEFAULT_CONFIG_FILES = ['signet.yaml', '/etc/signet/signet.yaml'] as const;

/** Throws CliError configuration with every problem of the file. */
export async function configOf(options: GlobalOptions, cli: Cli): Promise<Config> {
  const file = configFileOf(options, cli);
  const { loadConfig } = await import('../config/load.js');
  return asConfiguration(() => loadConfig(file));
}

/** Opens the configured token with its PIN for `work`, offline: the service need not run. */
export async function useToken<T>(
  options: TokenOptions,
  cli: Cli,
  work: (session: Session, config: Config) => Promise<T> | T,
): Promise<T> {
  const config = await configOf(options, cli);
  const token = chooseToken(config, options.token);
  const [{ readPin }, { withToken }, { LatchFile }] = await Promise.all([
    import('../config/pin.js'),
    import('../token-admin/open-token.js'),
    import('../latch/latch-file.js'),
  ]);
  const pin = await asConfiguration(() => readPin(token));
  // Whoever makes the folder owns it, and that is to be the service.
  const latch = existsSync(config.state_dir) ? await asConfiguration(() => new LatchFile(config.state_dir)) : undefined;
  return withToken(token, pin, (session) => work(session, config), latch);
}

function chooseToken(config: Config, name: string | undefined): TokenConfig {
  const names = config.tokens.map((token) => token.name).join(', ');
  if (name !== undefined) {
    const named = config.tokens.find((token) => token.name === name);
    if (named) return named;
    throw new CliError('usage', `--token: expected one of ${names}; "${name}" came`);
  }
  const [only, another] = config.tokens;
  if (only && !another) return only;
  throw new CliError('usage', `the configuration has several tokens: say which with --token: ${names}`);
}
