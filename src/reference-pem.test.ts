import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { publicKeyFromKeyObject } from './public-key.js';
import { writeReferencePem } from './reference-pem.js';

const VECTORS = new URL('../native-test/vectors/', import.meta.url);
const vector = (name: string) => readFileSync(new URL(name, VECTORS), 'utf8');

const LABELS: Readonly<Record<string, string>> = {
  rsa2048: 'www-rsa2048',
  rsa4096: 'www-rsa4096',
  p256: 'www-p256',
  p384: '',
  p521: 'www-p521',
  ed25519: 'schlüssel 鍵',
};

t.test('a reference PEM is the same, byte for byte, as the vector that the provider reads', async (t) => {
  for (const [name, label] of Object.entries(LABELS)) {
    const key = publicKeyFromKeyObject(createPublicKey(vector(`public-${name}.pem`)));
    t.equal(writeReferencePem(key, label), vector(`reference-${name}.pem`), name);
  }
});

t.test('a label with control characters or of more than 256 bytes is refused', async (t) => {
  const key = publicKeyFromKeyObject(createPublicKey(vector('public-p256.pem')));
  t.throws(() => writeReferencePem(key, 'a\nb'), { code: 'invalid_argument' });
  t.throws(() => writeReferencePem(key, 'ü'.repeat(129)), { code: 'invalid_argument' });
  t.match(writeReferencePem(key, 'ü'.repeat(128)), /^-----BEGIN SIGNET KEY REFERENCE-----\n/);
});
