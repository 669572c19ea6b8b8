import { KeyObject, webcrypto, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import 'reflect-metadata';
import { BasicConstraintsExtension, X509CertificateGenerator } from '@peculiar/x509';
import tap, { test } from 'tap';
import { createToken } from '../../test/fixtures/softhsm-token.js';
import { encodePin, type SignerConfiguration } from '../pool/messages.js';
import { publicKeyFromKeyObject } from '../public-key.js';
import { findKeys } from './find-keys.js';
import { closeSession, logIn, openModule, openSession } from './token.js';

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

interface Pair {
  readonly keys: webcrypto.CryptoKeyPair;
  /** The private key, PKCS#8. */
  readonly pem: string;
  readonly spkiSha256: string;
}

const [root, middle, leaf, impostor, twice] = [await pair(), await pair(), await pair(), await pair(), await pair()];
const [elsewhere, unrelated] = [await pair(), await pair()];
const rootCertificate = await certificate('root', root, 'root', root);
const middleCertificate = await certificate('middle', middle, 'root', root);
const leafCertificate = await certificate('leaf', leaf, 'middle', middle);

const testToken = createToken({
  keys: [
    { label: 'plain', type: 'p256', id: '01' },
    { label: 'rsa without public', type: 'rsa2048', id: '02', publicObject: false },
    { label: 'by certificate', pem: leaf.pem, id: '03', publicObject: false },
    { label: 'unknown public', type: 'p384', id: '04', publicObject: false },
    { label: 'same id, one', type: 'p256', id: '05' },
    { label: 'same id, two', type: 'p256', id: '05' },
    { label: 'same id, rsa', type: 'rsa2048', id: '05' },
    { label: 'wrong certificate', pem: impostor.pem, id: '06', publicObject: false },
    { label: 'other curve', type: 'secp256k1', id: '07' },
    { label: 'too small', type: 'rsa1024', id: '08' },
    { label: 'first of two', pem: twice.pem, id: '09' },
    { label: 'second of two', pem: twice.pem, id: '0a' },
    { label: 'certified', pem: root.pem, id: '0b' },
    { label: 'by file', pem: elsewhere.pem, id: '0c', publicObject: false },
  ],
  certificates: [
    { label: 'middle', id: 'a1', der: middleCertificate },
    { label: 'root', id: '0b', der: rootCertificate },
    { label: 'leaf', id: '03', der: leafCertificate },
    { label: 'wrong', id: '06', der: leafCertificate },
    { label: 'of another key', id: '01', der: leafCertificate },
    { label: 'garbage', id: 'a2', der: Buffer.from('garbage') },
  ],
});
// SoftHSM reads it at C_Initialize, which a process does once.
process.env.SOFTHSM2_CONF = testToken.conf;
const wanted: SignerConfiguration = {
  module: testToken.module,
  tokenLabel: testToken.label,
  verify: 'first',
  busyPollUs: 0,
  tokenBusyMs: 0,
};
const token = openSession(openModule(wanted), wanted);
logIn(token, encodePin(Buffer.from(testToken.pin)));
tap.teardown(() => {
  closeSession(token);
  testToken.remove();
});
const files = [
  fileOf('unrelated.pem', await publicPem(unrelated)),
  fileOf('elsewhere.pem', await publicPem(elsewhere)),
  fileOf('garbage.pem', 'garbage'),
  join(testToken.folder, 'missing.pem'),
];
const { keys, warnings } = findKeys(token, files);
const labelled = (label: string) => keys.find((key) => key.label === label);

test('every key that can be used is found once, with its label and id', async (t) => {
  const found = keys.map(({ label, id }) => `${id} ${label}`).sort();
  const twins = found.filter((name) => name.endsWith('of two'));
  t.equal(twins.length, 1, 'one key is served once');
  t.same(
    found.filter((name) => !twins.includes(name)),
    [
      '01 plain',
      '02 rsa without public',
      '03 by certificate',
      '05 same id, one',
      '05 same id, rsa',
      '05 same id, two',
      '0b certified',
      '0c by file',
    ],
  );
});

test('a public key comes from the certificate, or from the RSA private key, where there is no object for it', async (t) => {
  t.equal(labelled('by certificate')?.key.spkiSha256, leaf.spkiSha256);
  t.match(labelled('rsa without public')?.key, { type: 'rsa', bits: 2048 });
});

test('a public key that the token does not tell comes from a configured file, proven by a signature', async (t) => {
  t.equal(labelled('by file')?.key.spkiSha256, elsewhere.spkiSha256);
});

test('keys that share an id are told apart by a signature', async (t) => {
  const [one, two] = [labelled('same id, one')?.key.spkiSha256, labelled('same id, two')?.key.spkiSha256];
  t.ok(one && two && one !== two);
  t.match(labelled('same id, rsa')?.key, { type: 'rsa' });
});

test('the chain is the certificate of the key and its issuers, up to the self-signed one', async (t) => {
  const names = (label: string) =>
    labelled(label)?.certificateChain.map((der) => new X509Certificate(der).subject.replace('CN=', ''));
  t.same(names('by certificate'), ['leaf', 'middle', 'root']);
  t.same(names('certified'), ['root']);
  t.same(names('plain'), [], 'a certificate of another key is not its');
});

test('what cannot be used is named with the reason', async (t) => {
  const expected = [
    /^private key "unknown public" \(id 04\) is not used: its signature does not verify with a public key that may be/,
    /^public key file .*garbage.pem is not used: expected one PEM PUBLIC KEY or CERTIFICATE/,
    /^public key file .*missing.pem is not used: .*ENOENT/,
    /^private key "wrong certificate" \(id 06\) is not used: its signature does not verify/,
    /^private key "other curve" \(id 07\) is not used: .*06052b8104000a came/,
    /^private key "too small" \(id 08\) is not used: .*an RSA key of 1024 bits came/,
    /^certificate with id a2: expected X.509 in DER; 7 bytes came/,
  ];
  for (const reason of expected)
    t.ok(
      warnings.some((warning) => reason.test(warning)),
      String(reason),
    );
  t.equal(warnings.length, expected.length);
});

async function publicPem({ keys }: Pair): Promise<string> {
  return KeyObject.from(keys.publicKey).export({ format: 'pem', type: 'spki' }) as string;
}

function fileOf(name: string, content: string): string {
  const file = join(testToken.folder, name);
  writeFileSync(file, content);
  return file;
}

async function pair(): Promise<Pair> {
  const keys = (await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const publicKey = KeyObject.from(keys.publicKey);
  return {
    keys,
    pem: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
    spkiSha256: publicKeyFromKeyObject(publicKey).spkiSha256,
  };
}

async function certificate(subject: string, of: Pair, issuer: string, by: Pair): Promise<Uint8Array> {
  const made = await X509CertificateGenerator.create({
    subject: `CN=${subject}`,
    issuer: `CN=${issuer}`,
    notBefore: new Date('2024-01-01'),
    notAfter: new Date('2044-01-01'),
    publicKey: of.keys.publicKey,
    signingKey: by.keys.privateKey,
    signingAlgorithm: EC,
    extensions: [new BasicConstraintsExtension(subject !== 'leaf')],
  });
  return new Uint8Array(made.rawData);
}
