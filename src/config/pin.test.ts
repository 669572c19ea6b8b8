import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lchownSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readPin } from './pin.js';

const folder = mkdtempSync(join(tmpdir(), 'signet-pin-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const isRoot = process.geteuid?.() === 0;

function pinFile(name: string, content: string | Buffer, mode = 0o600): { name: string; pin_file: string } {
  const pin_file = join(folder, name);
  writeFileSync(pin_file, content);
  chmodSync(pin_file, mode);
  return { name: 'main', pin_file };
}

t.test('a PIN is read without its line break and nothing else', async (t) => {
  t.equal(readPin(pinFile('a', '1234')).toString(), '1234');
  t.equal(readPin(pinFile('b', '1234\n')).toString(), '1234');
  t.equal(readPin(pinFile('c', ' 12 34 \r\n', 0o400)).toString(), ' 12 34 ');
  t.equal(readPin(pinFile('d', 'x'.repeat(256))).length, 256);
  t.equal(readPin(pinFile('e', `${'x'.repeat(256)}\r\n`)).length, 256);
});

t.test('a PIN file that others may use is refused, and the message says what to do', async (t) => {
  for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o644]) {
    const token = pinFile('open', '987654', mode);
    t.throws(() => readPin(token), {
      code: 'invalid_argument',
      message: new RegExp(`mode 0${mode.toString(8)}.*chmod 600 ${token.pin_file}$`),
    });
  }
});

t.test('no message holds the PIN', async (t) => {
  for (const content of ['987654\n987654\n', `987654${'x'.repeat(300)}`, '987654\0']) {
    try {
      readPin(pinFile('bad', content));
      t.fail('it was accepted');
    } catch (thrown) {
      t.match(
        (thrown as Error).message,
        /^token "main": PIN file .*bad holds more than .*; write the PIN as its only line$/,
      );
      t.notMatch((thrown as Error).stack, '987654');
    }
  }
  t.throws(() => readPin(pinFile('empty', '\n')), /is empty/);
});

t.test('what is not a regular file is refused, and no FIFO is waited for', async (t) => {
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', ['-m', '600', fifo]);
  t.throws(() => readPin({ name: 'main', pin_file: fifo }), /not a regular file/);
  t.throws(() => readPin({ name: 'main', pin_file: '/dev/zero' }), /not a regular file/);
  t.throws(() => readPin({ name: 'main', pin_file: folder }), /not a regular file/);
  t.throws(() => readPin({ name: 'main', pin_file: join(folder, 'none') }), /\(ENOENT\); create it with mode 0600/);
});

t.test('a PIN file, or a link to it, of another user is refused', { skip: !isRoot && 'needs root' }, async (t) => {
  const token = pinFile('theirs', '1234');
  chownSync(token.pin_file, 12345, 12345);
  t.throws(() => readPin(token), /belongs to user 12345; expected user 0, .*; chown 0 /);
  const { pin_file } = pinFile('ours', '1234');
  const link = join(folder, 'link');
  symlinkSync(pin_file, link);
  t.equal(readPin({ name: 'main', pin_file: link }).toString(), '1234');
  lchownSync(link, 12345, 12345);
  t.throws(() => readPin({ name: 'main', pin_file: link }), /belongs to user 12345/);
});

t.test('a systemd credential is read from its folder', async (t) => {
  const before = process.env.CREDENTIALS_DIRECTORY;
  t.teardown(() => {
    if (before === undefined) delete process.env.CREDENTIALS_DIRECTORY;
    else process.env.CREDENTIALS_DIRECTORY = before;
  });
  delete process.env.CREDENTIALS_DIRECTORY;
  const token = { name: 'main', pin_credential: 'main-pin' };
  t.throws(
    () => readPin(token),
    /systemd credential "main-pin", but CREDENTIALS_DIRECTORY is not set; .*LoadCredential/,
  );
  process.env.CREDENTIALS_DIRECTORY = folder;
  pinFile('main-pin', '4321\n', 0o440);
  t.equal(readPin(token).toString(), '4321');
  pinFile('main-pin', '4321\n', 0o444);
  t.throws(() => readPin(token), /has mode 0444/);
});
