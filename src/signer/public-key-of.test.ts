import { createECDH, generateKeyPairSync } from 'node:crypto';
import { test } from 'tap';
import { publicKeyFromKeyObject } from '../public-key.js';
import { ecKey, edwardsKey } from './public-key-of.js';

const P256 = Buffer.from('06082a8648ce3d030107', 'hex');

test('an EC point is understood bare, compressed, and inside an OCTET STRING', async (t) => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const expected = publicKeyFromKeyObject(publicKey);
  const point = expected.spki.subarray(-65);
  const compressed = Buffer.concat([Buffer.of(2 + ((point[64] ?? 0) & 1)), point.subarray(1, 33)]);
  for (const given of [point, wrapped(point), compressed, wrapped(compressed)]) {
    t.equal(ecKey(P256, given).spkiSha256, expected.spkiSha256);
  }
});

test('a bare point that looks like an OCTET STRING is taken for what its length says', async (t) => {
  const ecdh = createECDH('prime256v1');
  let point = ecdh.generateKeys();
  while (point[1] !== 0x3f) point = ecdh.generateKeys();
  t.same(ecKey(P256, point).spki.subarray(-65), point);
});

test('a point whose coordinates lack their leading zeros is filled up to the one that lies on the curve', async (t) => {
  const P521 = Buffer.from('06052b81040023', 'hex');
  for (const short of ['x', 'y', 'both'] as const) {
    let point = newPoint();
    while ((point[1] === 0) !== (short !== 'y') || (point[67] === 0) !== (short !== 'x')) point = newPoint();
    const trimmed = [point.subarray(1, 67), point.subarray(67)].map((half) =>
      half[0] === 0 ? half.subarray(1) : half,
    );
    const given = Buffer.concat([point.subarray(0, 1), ...trimmed]);
    t.throws(() => ecKey(P521, Buffer.concat([Buffer.of(4, given.length), given])));
    for (const head of [Buffer.of(4, 0x81, given.length), Buffer.of(4, given.length)]) {
      t.same(ecKey(P521, Buffer.concat([head, given]), true).spki.subarray(-133), point, short);
    }
  }
});

function newPoint(): Buffer {
  return createECDH('secp521r1').generateKeys();
}

test('an Ed25519 key is understood with both names of its curve, bare and wrapped', async (t) => {
  const { publicKey } = generateKeyPairSync('ed25519');
  const expected = publicKeyFromKeyObject(publicKey);
  const point = expected.spki.subarray(-32);
  for (const parameters of ['06032b6570', '130c656477617264733235353139']) {
    for (const given of [point, wrapped(point)]) {
      t.equal(edwardsKey(Buffer.from(parameters, 'hex'), given).spkiSha256, expected.spkiSha256);
    }
  }
});

test('another curve and a point of a wrong length are refused with what came', async (t) => {
  t.throws(() => ecKey(Buffer.from('06052b8104000a', 'hex'), Buffer.alloc(65)), /parameters 06052b8104000a came/);
  t.throws(() => ecKey(P256, Buffer.alloc(64)), /a CKA_EC_POINT of 64 bytes came/);
  t.throws(() => ecKey(P256, Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)])), { code: 'invalid_argument' });
  t.throws(() => edwardsKey(Buffer.from('06032b6571', 'hex'), Buffer.alloc(57)), /parameters 06032b6571 came/);
});

function wrapped(point: Buffer): Buffer {
  return Buffer.concat([Buffer.of(4, point.length), point]);
}
