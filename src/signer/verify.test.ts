import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'tap';
import { type Algorithm, algorithmsOf } from '../algorithms.js';
import { publicKeyFromKeyObject } from '../public-key.js';
import { verifies } from './verify.js';

const MESSAGE = Buffer.from('what is signed');
const PAIRS = [
  generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  generateKeyPairSync('rsa', { modulusLength: 2048 }),
  generateKeyPairSync('ed25519'),
];

for (const { privateKey, publicKey } of PAIRS) {
  const key = publicKeyFromKeyObject(publicKey);
  for (const algorithm of algorithmsOf(key)) {
    test(`${key.type} ${key.bits}: ${algorithm.name} verifies over its message, and nothing else does`, async (t) => {
      const signature = signed(algorithm, privateKey, MESSAGE);
      const spoilt = Buffer.from(signature);
      spoilt[spoilt.length - 3] = (spoilt[spoilt.length - 3] ?? 0) ^ 4;
      t.ok(verifies(key, algorithm, MESSAGE, signature));
      t.notOk(verifies(key, algorithm, MESSAGE, spoilt));
      t.notOk(verifies(key, algorithm, Buffer.from('another'), signature));
      t.notOk(verifies(key, algorithm, MESSAGE, Buffer.alloc(0)));
    });
  }
}

function signed(algorithm: Algorithm, key: KeyObject, message: Buffer): Buffer {
  const padding = algorithm.padding === 'pss' ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  const options = algorithm.padding ? { padding, saltLength: algorithm.digestBytes } : {};
  return sign(algorithm.hash ?? null, message, { key, ...options });
}
