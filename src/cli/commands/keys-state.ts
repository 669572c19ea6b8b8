import type { Command } from 'commander';
import { act, type Cli, talk } from '../cli.js';
import { configOf } from '../configured.js';
import { type KeyOptions, requireKeyOption } from '../key-options.js';

/** `keys disable` and `keys enable`: in the running service only, since it alone keeps who is out of use. */
export function registerKeysState(keys: Command, cli: Cli): void {
  const disable = keys
    .command('disable')
    .description('take a key out of use in the running service, at once; it stays so');
  const enable = keys.command('enable').description('put a disabled key back into use');
  act<KeyOptions>(requireKeyOption(disable), cli, (options) => setState(options, true, cli));
  act<KeyOptions>(requireKeyOption(enable), cli, (options) => setState(options, false, cli));
}

async function setState(options: KeyOptions, disabled: boolean, cli: Cli) {
  const config = await configOf(options, cli);
  const [{ ask, onAdminSocket }, { findKeyStatus }] = await Promise.all([
    import('../service.js'),
    import('../service-keys.js'),
  ]);
  return onAdminSocket(config, async (admin) => {
    const { key } = await findKeyStatus(admin, options.key);
    await ask(admin, admin.setKeyState, { spkiSha256: key.spkiSha256, disabled });
    talk(cli, disabled ? `"${key.label}" signs no more` : `"${key.label}" may sign again`);
    const data = { label: key.label, spki_sha256: key.spkiSha256.toString('hex'), disabled };
    return { data, text: '' };
  });
}
