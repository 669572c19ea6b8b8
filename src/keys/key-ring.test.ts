import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { Catalogue } from '../gen/signet/v1/keys.js';
import { publicKeyFromKeyObject } from '../public-key.js';
import { DisabledKeys } from './disabled-keys.js';
import { KeyRing } from './key-ring.js';
import type { ServedKey } from './served-key.js';

const log = pino({ level: 'silent' });

t.test('the catalogue holds every key, readable by all, and is replaced whole', async (t) => {
  const { folder, ring, catalogue } = open(t);
  const keys = [servedKey('one'), servedKey('two')];
  ring.replace(keys);
  const read = () => Catalogue.decode(readFileSync(catalogue));
  t.equal(read().version, 1);
  t.same(
    read()
      .keys.map((key) => key.label)
      .sort(),
    ['one', 'two'],
  );
  t.ok(
    (read().keys[0]?.spkiSha256.compare(read().keys[1]?.spkiSha256 as Buffer) ?? 0) < 0,
    'in the order of the SPKI SHA-256',
  );
  t.equal(statSync(catalogue).mode & 0o777, 0o644);
  ring.replace(keys.slice(1));
  t.same(
    read().keys.map((key) => key.label),
    ['two'],
  );
  t.same(readdirSync(folder).sort(), ['catalogue.pb', 'state']);
});

t.test('a key taken out of use is not found, also after a restart, until it is put back', async (t) => {
  const { ring, again } = open(t);
  const key = servedKey('one');
  const { spkiSha256 } = key.key;
  ring.replace([key]);
  t.equal(ring.find(spkiSha256)?.label, 'one');
  t.equal(ring.setDisabled(spkiSha256, true), true);
  t.equal(ring.find(spkiSha256), undefined);
  t.same(ring.inUse(), []);
  t.equal(ring.all().length, 1);
  const restarted = again();
  restarted.replace([key]);
  t.equal(restarted.find(spkiSha256), undefined);
  restarted.setDisabled(spkiSha256, false);
  t.equal(restarted.find(spkiSha256)?.label, 'one');
});

t.test('an unknown key cannot be taken out of use', async (t) => {
  const { ring } = open(t);
  t.equal(ring.setDisabled('00'.repeat(32), true), false);
});

t.test('a damaged list of disabled keys stops the service instead of putting keys back into use', async (t) => {
  const { again, state } = open(t);
  writeFileSync(join(state, 'disabled-keys.json'), '["ab');
  t.throws(again, { code: 'invalid_argument', message: /JSON list/ });
});

t.test('a catalogue that cannot be written does not stop the service', async (t) => {
  const { folder, state } = open(t);
  const ring = new KeyRing(join(folder, 'missing', 'catalogue.pb'), new DisabledKeys(state), log);
  const key = servedKey('one');
  ring.replace([key]);
  t.equal(ring.find(key.key.spkiSha256)?.label, 'one');
});

function open(t: { teardown(end: () => void): void }) {
  const folder = mkdtempSync(join(tmpdir(), 'signet-keys-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const catalogue = join(folder, 'catalogue.pb');
  const state = join(folder, 'state');
  const again = () => new KeyRing(catalogue, new DisabledKeys(state), log);
  return { folder, catalogue, state, again, ring: again() };
}

function servedKey(label: string): ServedKey {
  const { publicKey } = generateKeyPairSync('ed25519');
  return { key: publicKeyFromKeyObject(publicKey), label, id: '01', certificateChain: [], tokens: ['main'] };
}
