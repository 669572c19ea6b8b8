import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LatchFile } from './latch-file.js';

const PIN = Buffer.from('4711');
const SERIAL = '0123456789abcdef';
const REFUSAL = {
  serial: SERIAL,
  token: 'main',
  reason: 'C_Login: CKR_PIN_INCORRECT',
  time: '2026-11-22T10:00:00.000Z',
};

t.test('a refused PIN is known to whoever reads the folder, and no other PIN is', async (t) => {
  const { latch, again } = open(t);
  t.equal(latch.refusal(SERIAL, PIN), undefined);
  latch.close(REFUSAL, PIN);
  for (const each of [latch, again()]) {
    t.same(each.refusal(SERIAL, PIN), REFUSAL);
    t.equal(each.refusal(SERIAL, Buffer.from('4712')), undefined);
    t.equal(each.refusal('another', PIN), undefined);
  }
});

t.test("the file is its owner's alone, is replaced whole, and does not hold the PIN", async (t) => {
  const { latch, folder, file } = open(t);
  latch.close(REFUSAL, PIN);
  latch.close(REFUSAL, PIN);
  latch.close({ ...REFUSAL, serial: 'other' }, PIN);
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.same(readdirSync(folder), ['login-latch.json']);
  const { refused } = JSON.parse(readFileSync(file, 'utf8'));
  t.equal(refused.length, 2);
  t.not(refused[0].salt, refused[1].salt, 'the same PIN looks different for each token');
  t.not(refused[0].hash, refused[1].hash);
  const plain = [PIN.toString(), PIN.toString('base64'), PIN.toString('hex')];
  for (const { salt, hash } of refused) t.notOk(plain.some((pin) => [salt, hash].includes(pin)));
});

t.test('several PINs of a token are remembered, the newest of them, and those of other tokens', async (t) => {
  const { latch } = open(t);
  latch.close({ ...REFUSAL, serial: 'other' }, PIN);
  for (let n = 0; n < 6; n++) latch.close(REFUSAL, Buffer.from(`pin ${n}`));
  t.equal(latch.refusal(SERIAL, Buffer.from('pin 1')), undefined);
  t.ok(latch.refusal(SERIAL, Buffer.from('pin 2')));
  t.ok(latch.refusal(SERIAL, Buffer.from('pin 5')));
  t.ok(latch.refusal('other', PIN));
});

t.test('a PIN that a token takes clears what it refused, and nothing of other tokens', async (t) => {
  const { latch } = open(t);
  latch.close(REFUSAL, PIN);
  latch.close({ ...REFUSAL, serial: 'other' }, PIN);
  latch.accepted(SERIAL);
  t.equal(latch.refusal(SERIAL, PIN), undefined);
  t.ok(latch.refusal('other', PIN));
});

t.test('who looked after a token opens its latch, by its name or by the serial that it tells', async (t) => {
  const { latch } = open(t);
  t.equal(latch.release('main'), false, 'there was nothing');
  latch.close(REFUSAL, PIN);
  t.equal(latch.release('renamed'), false);
  t.ok(latch.refusal(SERIAL, PIN));
  t.equal(latch.release('renamed', SERIAL), true);
  t.equal(latch.refusal(SERIAL, PIN), undefined);
  latch.close(REFUSAL, PIN);
  t.equal(latch.release('main'), true);
});

t.test('a release permits one login, soon, of this token', async (t) => {
  const { latch, again, clock } = open(t);
  t.equal(latch.takePermit('main'), false);
  latch.release('main');
  latch.release('main');
  t.equal(latch.takePermit('other'), false);
  t.equal(again().takePermit('main'), true);
  t.equal(latch.takePermit('main'), false, 'it is used up');
  latch.release('main');
  clock.ms += 600_000;
  t.equal(latch.takePermit('main'), false, 'it is too late');
});

t.test('a file that is none of these is an error, and not an open latch', async (t) => {
  const { latch, again, file } = open(t);
  for (const text of ['', '{"version":1', '{"version":2,"refused":[],"permits":[]}', '[]']) {
    writeFileSync(file, text);
    t.throws(again, { code: 'invalid_argument', message: /login-latch.json/ }, text);
    t.throws(() => latch.refusal(SERIAL, PIN), { code: 'invalid_argument' });
    t.throws(() => latch.takePermit('main'), { code: 'invalid_argument' });
  }
});

function open(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'signet-latch-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const clock = { ms: 1 };
  const again = () => new LatchFile(folder, () => clock.ms);
  return { folder, file: join(folder, 'login-latch.json'), clock, again, latch: again() };
}
