import { existsSync } from 'node:fs';
import type { Config } from '../config/schema.js';
import { type Cli, talk } from './cli.js';
import { CliError } from './cli-error.js';

/** Tells a running service that its tokens changed. That none runs, or none that listens to this user, is worth a word and no error. */
export async function refreshService(config: Config, cli: Cli): Promise<void> {
  // Looked at first, since gRPC takes longer to load than the rest of the command.
  if (!existsSync(config.admin.path)) {
    talk(cli, 'no service is running here; it will see the change when it starts');
    return;
  }
  const { ask, onAdminSocket } = await import('./service.js');
  try {
    const { keys } = await onAdminSocket(config, (admin) => ask(admin, admin.refreshKeys, {}));
    talk(cli, `the running service has looked at its tokens again: ${keys} keys`);
  } catch (thrown) {
    talk(cli, `no running service was told (${CliError.from(thrown).message}); it sees the change when it starts`);
  }
}
