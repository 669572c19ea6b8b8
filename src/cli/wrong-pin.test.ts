import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { initFolder } from '../../test/fixtures/command-line.js';
import { loadConfig } from '../config/load.js';

const folder = await initFolder();
t.teardown(() => folder.remove());
const stateDir = loadConfig(folder.file('signet.yaml')).state_dir;
mkdirSync(stateDir, { recursive: true, mode: 0o700 });
const right = readFileSync(folder.file('pin'));
const pinIs = (pin: string | Buffer) => writeFileSync(folder.file('pin'), pin);
const list = () => folder.run(['keys', 'list', '--json']);
const TRIED = { code: 6, stderr: /the PIN is wrong/ };
const NOT_TRIED = { code: 6, stderr: /wrong PIN: C_Login: CKR_PIN_INCORRECT at .*correct the PIN file/ };

t.test('a command does not try a PIN that the token has refused, and tells what to do', async (t) => {
  pinIs('wrong-pin\n');
  t.match(await list(), TRIED);
  const again = await list();
  t.match(again, NOT_TRIED);
  t.notMatch(again.stdout + again.stderr + readFileSync(join(stateDir, 'login-latch.json'), 'utf8'), /wrong-pin/);
  pinIs(right);
  t.match(await list(), { code: 0 });
  pinIs('wrong-pin\n');
  t.match(await list(), TRIED, 'a right PIN has cleared it');
  t.match(await list(), NOT_TRIED);
});

t.test('token unlatch lets it be tried again', async (t) => {
  t.match(await folder.run(['token', 'unlatch', 'main']), { code: 0, stderr: /the latch is open/ });
  t.match(await list(), TRIED);
  t.match(await list(), NOT_TRIED);
});

t.test('a token that the configuration does not have is a usage error', async (t) => {
  const run = await folder.run(['token', 'unlatch', 'mian']);
  t.match(run, { code: 2, stderr: /expected one of \w+; "mian" came/ });
  t.match(await folder.run(['token', 'drain', 'x', '--wait', 'long']), { code: 2 });
});

t.test('without a service there is nothing to drain', async (t) => {
  for (const words of [['token', 'drain', 'main'], ['token', 'undrain', 'main'], ['drain']]) {
    t.match(await folder.run(words), { code: 4, stderr: /the service is not running/ }, words.join(' '));
  }
});
