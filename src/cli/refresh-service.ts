import type { Config } from '../config/schema.js';
import { type Cli, talk } from './cli.js';
import { CliError } from './cli-error.js';

/** Tells a running service that its tokens changed. That none runs is no error; that one does not listen is worth a word. */
export async function refreshService(config: Config, cli: Cli): Promise<void> {
  const { ask, onAdminSocket } = await import('./service.js');
  try {
    const { keys } = await onAdminSocket(config, (admin) => ask(admin, admin.refreshKeys, {}));
    talk(cli, `the running service has looked at its tokens again: ${keys} keys`);
  } catch (thrown) {
    const { word, message } = CliError.from(thrown);
    if (word === 'unreachable') talk(cli, 'no service is running here; it will see the change when it starts');
    else talk(cli, `the running service was not refreshed: ${message}`);
  }
}
