import { setTimeout as delay } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { TokenState } from '../../gen/signet/v1/admin.js';
import type { AdminServiceClient } from '../../gen/signet/v1/admin_service.js';
import { act, type Cli, type GlobalOptions, talk } from '../cli.js';
import { CliError } from '../cli-error.js';
import { configOf } from '../configured.js';

interface DrainOptions extends GlobalOptions {
  readonly wait?: number;
}

/** `token drain` and `token undrain`: in the running service only. */
export function registerTokenDrain(token: Command, cli: Cli): void {
  const drain = token
    .command('drain')
    .description('take a token out of use for maintenance: its jobs are done, then its signers log out')
    .argument('<token>', 'its name in the configuration')
    .option('--wait <seconds>', 'how long to wait until nobody is logged in', seconds, WAIT_S);
  const undrain = token
    .command('undrain')
    .description('put a drained token back into use')
    .argument('<token>', 'its name in the configuration');
  act<DrainOptions>(drain, cli, (options) => setDrained(drain.processedArgs[0] as string, options, true, cli));
  act<DrainOptions>(undrain, cli, (options) => setDrained(undrain.processedArgs[0] as string, options, false, cli));
}

/** Longer than any signature takes; a signer that hangs is killed meanwhile. */
const WAIT_S = 30;
const WAIT_S_MAX = 3_600;
const LOOK_MS = 100;

async function setDrained(token: string, options: DrainOptions, drained: boolean, cli: Cli) {
  const config = await configOf(options, cli);
  const { ask, onAdminSocket } = await import('../service.js');
  return onAdminSocket(config, async (admin) => {
    await ask(admin, admin.setTokenState, { token, drained });
    if (drained) await untilDrained(admin, token, (options.wait ?? WAIT_S) * 1000);
    talk(cli, drained ? `"${token}" is drained: nobody is logged in` : `"${token}" is put back into use`);
    return { data: { token, drained }, text: '' };
  });
}

async function untilDrained(admin: AdminServiceClient, token: string, waitMs: number): Promise<void> {
  const { ask } = await import('../service.js');
  const endMs = performance.now() + waitMs;
  for (;;) {
    const { tokens, signers } = await ask(admin, admin.getStatus, {});
    if (tokens.find(({ name }) => name === token)?.state === TokenState.TOKEN_STATE_DRAINED) return;
    const left = signers.filter((signer) => signer.token === token && signer.pid !== 0).length;
    if (performance.now() > endMs) {
      const how = `takes no new jobs, but ${left} of its signers still work; see signet status`;
      throw new CliError('failed', `"${token}" ${how}`);
    }
    await delay(LOOK_MS);
  }
}

function seconds(text: string): number {
  if (/^\d{1,4}$/.test(text) && Number(text) <= WAIT_S_MAX) return Number(text);
  throw new InvalidArgumentError(`expected seconds from 0 to ${WAIT_S_MAX}.`);
}
