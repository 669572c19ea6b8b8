import { constants, createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'tap';
import { type Algorithm, algorithmNamed, algorithmsOf } from '../algorithms.js';
import { publicKeyFromKeyObject } from '../public-key.js';
import { verificationDue, verifies } from './verify.js';

const MESSAGE = Buffer.from('what is signed');
const PAIRS = [
  generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  generateKeyPairSync('rsa', { modulusLength: 2048 }),
  // Sizes whose encoded PSS message is not as long as the modulus, or has other spare bits.
  generateKeyPairSync('rsa', { modulusLength: 2049 }),
  generateKeyPairSync('rsa', { modulusLength: 2052 }),
  generateKeyPairSync('ed25519'),
];

for (const { privateKey, publicKey } of PAIRS) {
  const key = publicKeyFromKeyObject(publicKey);
  for (const algorithm of algorithmsOf(key)) {
    test(`${key.type} ${key.bits}: ${algorithm.name} verifies over the message and over the digest, and nothing else does`, async (t) => {
      const signature = signed(algorithm, privateKey, MESSAGE);
      const spoilt = Buffer.from(signature);
      spoilt[spoilt.length - 3] = (spoilt[spoilt.length - 3] ?? 0) ^ 4;
      t.ok(verifies(key, algorithm, MESSAGE, false, signature));
      t.notOk(verifies(key, algorithm, MESSAGE, false, spoilt));
      t.notOk(verifies(key, algorithm, Buffer.from('another'), false, signature));
      if (algorithm.hash === undefined) return;
      const digest = createHash(algorithm.hash).update(MESSAGE).digest();
      const other = createHash(algorithm.hash).update('another').digest();
      t.ok(verifies(key, algorithm, digest, true, signature));
      t.notOk(verifies(key, algorithm, digest, true, spoilt));
      t.notOk(verifies(key, algorithm, other, true, signature));
      t.notOk(verifies(key, algorithm, digest.subarray(1), true, signature));
      t.notOk(verifies(key, algorithm, digest, true, Buffer.alloc(0)));
      t.notOk(verifies(key, algorithm, digest, true, signed(algorithm, strangerTo(privateKey), MESSAGE)));
    });
  }
}

test('ECDSA over a digest: many keys and digests, the digest of all zeros among them', async (t) => {
  for (const namedCurve of ['P-256', 'P-384', 'P-521']) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
    const key = publicKeyFromKeyObject(publicKey);
    const [algorithm] = algorithmsOf(key);
    if (!algorithm?.hash) throw new Error('no algorithm');
    for (let i = 0; i < 20; i++) {
      const message = Buffer.from(`message ${i}`);
      const digest = createHash(algorithm.hash).update(message).digest();
      t.ok(verifies(key, algorithm, digest, true, signed(algorithm, privateKey, message)), `${namedCurve} ${i}`);
    }
    t.notOk(
      verifies(key, algorithm, Buffer.alloc(algorithm.digestBytes), true, signed(algorithm, privateKey, MESSAGE)),
    );
  }
});

test('RSA is always verified, the others as the policy says', async (t) => {
  const due = (policy: 'always' | 'first' | 'sample', name: string) => {
    const algorithm = algorithmNamed(name);
    if (!algorithm) throw new Error(name);
    return [0, 1, 63, 64, 65, 128].map((made) => verificationDue(policy, algorithm, made));
  };
  t.same(due('first', 'rsa_pss_rsae_sha256'), [true, true, true, true, true, true]);
  t.same(due('always', 'ed25519'), [true, true, true, true, true, true]);
  t.same(due('first', 'ecdsa_secp256r1_sha256'), [true, false, false, false, false, false]);
  t.same(due('sample', 'ed25519'), [true, false, false, true, false, true]);
});

function signed(algorithm: Algorithm, key: KeyObject, message: Buffer): Buffer {
  const padding = algorithm.padding === 'pss' ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  const options = algorithm.padding ? { padding, saltLength: algorithm.digestBytes } : {};
  return sign(algorithm.hash ?? null, message, { key, ...options });
}

/** Another private key of the same kind. */
function strangerTo(key: KeyObject): KeyObject {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  if (namedCurve) return generateKeyPairSync('ec', { namedCurve }).privateKey;
  return generateKeyPairSync('rsa', { modulusLength: modulusLength ?? 2048 }).privateKey;
}
