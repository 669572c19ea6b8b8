import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { TokenConfig } from '../config/schema.js';
import { LatchFile } from '../latch/latch-file.js';
import type { Hold, LoginRequest } from '../login-hold.js';
import { LoginGate } from './login-gate.js';

const CALM: LoginRequest = { serial: '0123', finalTry: false, locked: false };

class Seeker {
  pin = '';
  killed = '';
  givePin(pin: Buffer): void {
    this.pin = pin.toString();
    pin.fill(0);
  }
  kill(_reason: 'died', message: string): void {
    this.killed = message;
  }
}

t.test('one signer has the PIN at a time, and the others wait for what becomes of it', async (t) => {
  const { gate } = gateOf(t);
  const [a, b, c] = three();
  for (const seeker of [a, b, c]) gate.ask(seeker, CALM);
  t.same(pins(a, b, c), ['4711', '', '']);
  gate.loggedIn(a);
  t.same(pins(a, b, c), ['4711', '4711', '']);
  gate.ended(b);
  t.same(pins(a, b, c), ['4711', '4711', '4711'], 'one that dies gives its turn away');
  gate.ended(a);
  gate.loggedIn(a);
});

t.test('one that ends while it waits is passed over', async (t) => {
  const { gate } = gateOf(t);
  const [a, b, c] = three();
  for (const seeker of [a, b, c]) gate.ask(seeker, CALM);
  gate.ended(b);
  gate.loggedIn(a);
  t.same(pins(a, b, c), ['4711', '', '4711']);
});

t.test('after a refusal nobody gets the PIN, also of a gate to come, until it is another', async (t) => {
  const { gate, again, site, holds } = gateOf(t);
  const [a, b, c] = three();
  for (const seeker of [a, b]) gate.ask(seeker, CALM);
  gate.ended(a, 'C_Login: CKR_PIN_INCORRECT');
  t.match(holds, [{ why: /^wrong PIN: C_Login: CKR_PIN_INCORRECT at 2/, remedy: /signet token unlatch/ }]);
  t.equal(gate.pinHasChanged(), false);
  again().ask(c, CALM);
  t.same(pins(b, c), ['', '']);
  t.equal(holds.length, 2);
  site.pin = '4712';
  t.equal(gate.pinHasChanged(), true);
  gate.ask(b, CALM);
  t.equal(b.pin, '4712');
});

t.test('while the token warns nobody gets the PIN, and one does when that was permitted', async (t) => {
  const { gate, holds, latch } = gateOf(t);
  const [a, b, c] = three();
  gate.ask(a, { ...CALM, finalTry: true });
  gate.ask(b, { ...CALM, locked: true });
  t.match(holds, [{ why: /CKF_USER_PIN_FINAL_TRY/ }, { why: /CKF_USER_PIN_LOCKED/ }]);
  latch.release('main');
  gate.ask(a, { ...CALM, finalTry: true });
  gate.ask(c, { ...CALM, finalTry: true });
  gate.ended(a);
  t.same(pins(a, b, c), ['4711', '', '']);
  t.equal(holds.length, 3);
});

t.test('a PIN that cannot be read, or a latch that cannot, is no login', async (t) => {
  const { gate, site, holds } = gateOf(t);
  const [a, b] = three();
  site.broken = true;
  gate.ask(a, CALM);
  t.match(a, { pin: '', killed: 'no login: no such file' });
  t.equal(gate.pinHasChanged(), false);
  site.broken = false;
  gate.ask(b, CALM);
  t.equal(b.pin, '4711');
  t.same(holds, []);
});

function gateOf(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'signet-gate-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const latch = new LatchFile(folder);
  const site = { pin: '4711', broken: false };
  const holds: Hold[] = [];
  const readPin = () => {
    if (site.broken) throw new Error('no such file');
    return Buffer.from(site.pin);
  };
  const again = () =>
    new LoginGate({ name: 'main' } as TokenConfig, latch, readPin, pino({ level: 'silent' }), (hold) =>
      holds.push(hold),
    );
  return { gate: again(), again, site, holds, latch };
}

function three(): [Seeker, Seeker, Seeker] {
  return [new Seeker(), new Seeker(), new Seeker()];
}

function pins(...seekers: Seeker[]): string[] {
  return seekers.map(({ pin }) => pin);
}
