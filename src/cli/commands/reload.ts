import type { Command } from 'commander';
import { act, type Cli, type GlobalOptions, talk } from '../cli.js';
import { configurationError } from '../cli-error.js';
import { configFileOf } from '../configured.js';

export function registerReload(program: Command, cli: Cli): void {
  const command = program.command('reload').description('have the running service read its configuration again');
  act(command, cli, (options) => reload(options, cli));
}

async function reload(options: GlobalOptions, cli: Cli) {
  const file = configFileOf(options, cli);
  const [{ ask, onAdminSocket }, { adminPathOf }, { loadConfig }] = await Promise.all([
    import('../service.js'),
    import('../../config/admin-path.js'),
    import('../../config/load.js'),
  ]);
  // A wrong configuration is asked about all the same: the service's log then has the reason too.
  const path = adminPathOf(file) ?? loadConfig(file).admin.path;
  const { problems, changed } = await onAdminSocket({ admin: { path } }, (admin) => ask(admin, admin.reload, {}));
  if (problems.length > 0) throw configurationError(problems);
  talk(
    cli,
    changed.length > 0 ? `in force: ${changed.join(', ')}` : 'nothing changed; TLS certificates were read again',
  );
  return { data: { changed }, text: '' };
}
