import { createPrivateKey, createPublicKey } from 'node:crypto';
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

t.test('so are the second form and the mark of RSA-PSS', async (t) => {
  for (const name of ['rsa2048', 'p256', 'ed25519']) {
    const key = publicKeyFromKeyObject(createPublicKey(vector(`public-${name}.pem`)));
    t.equal(writeReferencePem(key, LABELS[name] ?? '', { form: 'pkcs8' }), vector(`pkcs8-${name}.pem`), name);
  }
  const rsa = publicKeyFromKeyObject(createPublicKey(vector('public-rsa2048.pem')));
  t.equal(writeReferencePem(rsa, 'www-rsapss', { rsaPss: true }), vector('reference-rsapss.pem'));
  t.equal(writeReferencePem(rsa, 'www-rsapss', { rsaPss: true, form: 'pkcs8' }), vector('pkcs8-rsapss.pem'));
});

t.test('only an RSA key is marked as RSA-PSS', async (t) => {
  const key = publicKeyFromKeyObject(createPublicKey(vector('public-p256.pem')));
  t.throws(() => writeReferencePem(key, '', { rsaPss: true }), { code: 'invalid_argument' });
});

t.test('no software but the provider takes the second form for a key', async (t) => {
  for (const name of ['rsa2048', 'p256', 'ed25519', 'rsapss'])
    t.throws(() => createPrivateKey(vector(`pkcs8-${name}.pem`)), name);
});

t.test('a label with control characters or of more than 256 bytes is refused', async (t) => {
  const key = publicKeyFromKeyObject(createPublicKey(vector('public-p256.pem')));
  t.throws(() => writeReferencePem(key, 'a\nb'), { code: 'invalid_argument' });
  t.throws(() => writeReferencePem(key, 'ü'.repeat(129)), { code: 'invalid_argument' });
  t.match(writeReferencePem(key, 'ü'.repeat(128)), /^-----BEGIN SIGNET KEY REFERENCE-----\n/);
});
