import { createHash, ECDH, generateKeyPairSync, randomBytes } from 'node:crypto';
import t from 'tap';
import {
  algorithm,
  certificateOf,
  clientFlight,
  csr,
  der,
  EVERY_GROUP,
  ecdheParameters,
  ecKey,
  ephemeralKey,
  firstInside,
  handshake,
  randoms,
  tls12Client,
  tls12Server,
  tls13,
  vector,
} from '../../test/tls-messages.js';
import { publicKeyFromKeyObject } from '../public-key.js';
import { TLS12_GROUPS, TLS12_GROUPS_DEFAULT } from '../tls-groups.js';
import { recogniseUse } from './tls-message.js';

const own = ecKey();
const ECDSA = algorithm('ecdsa_secp256r1_sha256');
const PKCS1 = algorithm('rsa_pkcs1_sha256');

const use = (message: Uint8Array, as = ECDSA, groups: ReadonlySet<any> = EVERY_GROUP, key = own.publicKey) =>
  recogniseUse(message, as, key, groups);

t.test('CertificateVerify of TLS 1.3 is recognised for either side and either hash', async (t) => {
  for (const hash of [randomBytes(32), randomBytes(48)]) {
    t.equal(use(tls13('server', hash)), 'tls13-server');
    t.equal(use(tls13('client', hash)), 'tls13-client');
    t.equal(use(new Uint8Array(tls13('client', hash)).subarray()), 'tls13-client', 'a plain Uint8Array is as good');
  }
  t.equal(use(tls13('server'), algorithm('rsa_pss_rsae_sha256')), 'tls13-server');
  t.equal(use(tls13('server'), algorithm('ed25519')), 'tls13-server');
});

t.test('rsa_pkcs1 never signs for TLS 1.3', async (t) => {
  t.equal(use(tls13('server'), PKCS1), undefined);
  t.equal(use(tls13('client'), PKCS1), undefined);
});

t.test('what only resembles TLS 1.3 is refused', async (t) => {
  for (const bytes of [0, 20, 28, 31, 33, 47, 49, 64])
    t.equal(use(tls13('server', randomBytes(bytes))), undefined, `a hash of ${bytes} bytes`);
  const good = tls13('server');
  t.equal(use(good.subarray(1)), undefined, '63 spaces');
  t.equal(use(Buffer.concat([Buffer.from(' '), good.subarray(0, -1)])), undefined, '65 spaces');
  const contexts = [
    ['TLS 1.3, server CertificateVerify ', 'a blank for the zero byte'],
    ['TLS, server delegated credentials\0', 'a delegated credential, RFC 9345'],
    ['TLS, client delegated credentials\0', 'a delegated credential of a client'],
    ['tls 1.3, server CertificateVerify\0', 'another case'],
    ['TLS 1.4, server CertificateVerify\0', 'another version'],
    ['QUIC server config signature\0', 'gQUIC'],
  ] as const;
  for (const [context, why] of contexts) {
    const message = Buffer.concat([Buffer.alloc(64, ' '), Buffer.from(context), randomBytes(32)]);
    t.equal(use(message), undefined, why);
  }
});

t.test('ServerKeyExchange of TLS 1.2 is recognised for every granted group', async (t) => {
  for (const group of TLS12_GROUPS) {
    t.equal(use(tls12Server(group)), 'tls12-server', group);
    t.equal(use(tls12Server(group), PKCS1), 'tls12-server', `${group} with rsa_pkcs1`);
    const granted = TLS12_GROUPS_DEFAULT.includes(group);
    t.equal(use(tls12Server(group), ECDSA, new Set(TLS12_GROUPS_DEFAULT)), granted ? 'tls12-server' : undefined);
    t.equal(use(tls12Server(group), ECDSA, new Set()), undefined, `${group} when no group is granted`);
  }
});

t.test('a point that is none of its group is refused', async (t) => {
  for (const group of ['secp256r1', 'secp384r1', 'secp521r1'] as const) {
    const point = ephemeralKey(group);
    const size = (point.length - 1) / 2;
    const off = Buffer.from(point);
    off[point.length - 1] = (off[point.length - 1] as number) ^ 1;
    t.equal(use(tls12Server(group, randoms(), off)), undefined, 'off the curve');
    t.equal(
      use(tls12Server(group, randoms(), Buffer.concat([Buffer.of(4), Buffer.alloc(2 * size)]))),
      undefined,
      '(0, 0)',
    );
    t.equal(
      use(
        tls12Server(
          group,
          randoms(),
          Buffer.concat([Buffer.of(6 + ((point.at(-1) as number) & 1)), point.subarray(1)]),
        ),
      ),
      undefined,
      'hybrid form',
    );
    t.equal(
      use(tls12Server(group, randoms(), Buffer.concat([Buffer.of(2), point.subarray(1, 1 + size)]))),
      undefined,
      'compressed',
    );
    t.equal(use(tls12Server(group, randoms(), Buffer.concat([point, Buffer.of(0)]))), undefined, 'a byte too many');
    t.equal(use(tls12Server(group, randoms(), Buffer.of(0))), undefined, 'infinity');
    t.equal(
      use(tls12Server(group, randoms(), Buffer.alloc(point.length, 0xff).fill(4, 0, 1))),
      undefined,
      'not reduced',
    );
  }
  t.equal(use(tls12Server('secp256r1', randoms(), ephemeralKey('secp384r1'))), undefined, 'a point of another curve');
});

t.test('a coordinate that is not reduced is refused though the equation holds', async (t) => {
  // x = 5 is on P-256 ; x + p needs more than 256 bits for most x, but not for 5.
  const p = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
  const compressed = Buffer.concat([Buffer.of(2), Buffer.from(5n.toString(16).padStart(64, '0'), 'hex')]);
  const point = compressedToPoint(compressed);
  t.equal(use(tls12Server('secp256r1', randoms(), point)), 'tls12-server');
  const unreduced = Buffer.concat([Buffer.of(4), Buffer.from((5n + p).toString(16), 'hex'), point.subarray(33)]);
  t.equal(unreduced.length, 65);
  t.equal(use(tls12Server('secp256r1', randoms(), unreduced)), undefined);
});

function compressedToPoint(compressed: Buffer): Buffer {
  return ECDH.convertKey(compressed, 'prime256v1', undefined, undefined, 'uncompressed') as Buffer;
}

t.test('X25519 and X448 keys of low order or not reduced are refused', async (t) => {
  const le = (u: bigint, bytes: number) => Buffer.from(u.toString(16).padStart(2 * bytes, '0'), 'hex').reverse();
  const p255 = 2n ** 255n - 19n;
  const order8 = 325606250916557431795983626356110631294008115727848805560023387167927233504n;
  for (const u of [0n, 1n, order8, p255 - 1n, p255, p255 + 1n, 2n ** 255n + 9n, 2n ** 256n - 1n]) {
    t.equal(use(tls12Server('x25519', randoms(), le(u, 32))), undefined, `x25519 ${u}`);
  }
  t.equal(use(tls12Server('x25519', randoms(), le(9n, 32))), 'tls12-server');
  const p448 = 2n ** 448n - 2n ** 224n - 1n;
  for (const u of [0n, 1n, p448 - 1n, p448, 2n ** 448n - 1n])
    t.equal(use(tls12Server('x448', randoms(), le(u, 56))), undefined, `x448 ${u}`);
  t.equal(use(tls12Server('x448', randoms(), le(5n, 56))), 'tls12-server');
});

t.test('other parameters of a TLS 1.2 server are refused', async (t) => {
  const after = (...bytes: number[]) => Buffer.concat([randoms(), Buffer.from(bytes), ephemeralKey('x25519')]);
  t.equal(use(after(1, 0, 29, 32)), undefined, 'explicit prime');
  t.equal(use(after(2, 0, 29, 32)), undefined, 'explicit char2');
  t.equal(use(after(3, 0, 30, 32)), undefined, 'the length of another group');
  t.equal(use(after(3, 0, 31, 32)), undefined, 'an unknown group');
  t.equal(use(after(3, 0, 29, 31)), undefined, 'a wrong length');
  const dhe = Buffer.concat([vector(2, randomBytes(256)), vector(2, Buffer.of(2)), vector(2, randomBytes(256))]);
  t.equal(use(Buffer.concat([randoms(), dhe])), undefined, 'finite field Diffie-Hellman');
  t.equal(use(ecdheParameters('x25519')), undefined, 'parameters without randoms');
  t.equal(
    use(Buffer.concat([randoms(), randoms().subarray(0, 32), ecdheParameters('x25519')])),
    undefined,
    'three randoms',
  );
});

t.test(
  'a body of 201 bytes with the head of P-521 parameters and no point is refused, and its like on P-256',
  async (t) => {
    const head = Buffer.concat([Buffer.of(0x30, 0x81, 198), randomBytes(61), Buffer.of(3, 0, 0x19, 133, 4)]);
    t.equal(use(Buffer.concat([head, randomBytes(132)])), undefined);
    const small = Buffer.concat([
      Buffer.of(0x30, 0x81, 130),
      randomBytes(61),
      Buffer.of(3, 0, 0x17, 0x41, 4),
      randomBytes(64),
    ]);
    t.equal(use(small), undefined, 'nor the same of 133 bytes on P-256');
  },
);

t.test('a revocation list whose extension completes a point on the curve is refused all the same', async (t) => {
  for (const outer of [Buffer.of(0x30, 0x81, 162), Buffer.of(0x30, 0x82, 0, 161)]) {
    const body = revocationListOnCurve(outer);
    t.equal(body.length, 165);
    t.equal(use(Buffer.concat([Buffer.of(0xff), body.subarray(1)])), 'tls12-server', 'the tail is a point on P-384');
    t.equal(use(body), undefined, 'but the whole is the body of a revocation list');
  }
});

/** A version 2 TBSCertList of 165 bytes; all from byte 64 on is in the OCTET STRING of one extension that nobody knows. */
function revocationListOnCurve(outer: Buffer): Buffer {
  for (;;) {
    const ed25519 = der(0x30, der(6, Buffer.of(0x2b, 0x65, 0x70)));
    const issuer = der(0x30, der(0x31, der(0x30, der(6, Buffer.of(0x55, 4, 3)), der(0x0c, Buffer.from('AB')))));
    const front = Buffer.concat([Buffer.of(2, 1, 1), ed25519, issuer, der(0x17, Buffer.from('250101000000Z'))]);
    const octets = der(4, randomBytes(165 - outer.length - front.length - 13));
    const extensions = der(0xa0, der(0x30, der(0x30, der(6, Buffer.of(0x55, 0x1d, 0x7f)), octets)));
    const body = Buffer.concat([outer, front, extensions]);
    const x = body.subarray(69, 69 + 48);
    try {
      const point = ECDH.convertKey(
        Buffer.concat([Buffer.of(2), x]),
        'secp384r1',
        undefined,
        undefined,
        'uncompressed',
      );
      Buffer.concat([Buffer.of(3, 0, 0x18, 97), point as Buffer]).copy(body, 64);
      return body;
    } catch {
      // That x is not on the curve; every second is.
    }
  }
}

t.test('a TLS 1.2 client transcript is recognised, with and without what is optional', async (t) => {
  t.equal(use(tls12Client()), 'tls12-client');
  const none = Buffer.alloc(0);
  t.equal(use(tls12Client({ status: none })), 'tls12-client', 'no stapled status');
  t.equal(use(tls12Client({ status: none, serverKeyExchange: none })), 'tls12-client', 'RSA key exchange');
  t.equal(use(tls12Client({ clientKeyExchange: handshake(16, vector(2, randomBytes(256))) })), 'tls12-client');
  t.equal(use(tls12Client(), PKCS1), 'tls12-client');
});

t.test('a TLS 1.2 client transcript that lacks a message, or has another or a spoilt one, is refused', async (t) => {
  const none = Buffer.alloc(0);
  for (const part of Object.keys(clientFlight()).filter((name) => !/status|serverKeyExchange/.test(name))) {
    t.equal(use(tls12Client({ [part]: none })), undefined, `without ${part}`);
  }
  for (const [name, message] of Object.entries(clientFlight())) {
    t.equal(use(tls12Client({ [name]: Buffer.concat([message, message]) })), undefined, `${name} twice`);
    const type = Buffer.from(message);
    type[0] = 99;
    t.equal(use(tls12Client({ [name]: type })), undefined, `${name} of an unknown type`);
  }
  const good = tls12Client();
  for (const cut of [1, 2, 33, 34, 100]) t.equal(use(good.subarray(0, -cut)), undefined, `${cut} bytes less`);
  t.equal(use(Buffer.concat([good, Buffer.of(0)])), undefined, 'a byte more');
  t.equal(use(Buffer.concat([good, handshake(15, randomBytes(70))])), undefined, 'CertificateVerify at its end');
  t.equal(use(tls12Client({ clientCertificate: handshake(11, vector(3)) })), undefined, 'no client certificate');
  t.equal(use(tls12Client({ serverHelloDone: handshake(14, Buffer.of(0)) })), undefined, 'ServerHelloDone with a body');
  const dtls = Buffer.from(good);
  dtls.set([0xfe, 0xfd], 4);
  t.equal(use(dtls), undefined, 'another version');
});

t.test('a certification request for the key itself is recognised', async (t) => {
  t.equal(
    use(csr(own.privateKey, '-subj', '/CN=www.example.com', '-addext', 'subjectAltName=DNS:www.example.com')),
    'csr',
  );
  t.equal(use(csr(own.privateKey, '-subj', '/')), 'csr', 'without subject or attributes');
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const request = csr(rsa, '-subj', '/C=CH/O=Example/CN=www+OU=x', '-multivalue-rdn');
  t.equal(use(request, PKCS1, EVERY_GROUP, publicKeyFromKeyObject(rsa)), 'csr');
  const ed25519 = generateKeyPairSync('ed25519').privateKey;
  t.equal(
    use(csr(ed25519, '-subj', '/CN=x'), algorithm('ed25519'), EVERY_GROUP, publicKeyFromKeyObject(ed25519)),
    'csr',
  );
});

t.test('a certification request for an RSA key as an RSA-PSS key is one for the key itself', async (t) => {
  const PSS = algorithm('rsa_pss_pss_sha256');
  const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey;
  const key = publicKeyFromKeyObject(pss);
  const request = csr(pss, '-subj', '/CN=x');
  t.notOk(request.includes(key.spki), 'the request has the other spelling of the key');
  t.equal(use(request, PSS, EVERY_GROUP, key), 'csr');
  const other = generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey;
  t.equal(use(csr(other, '-subj', '/CN=x'), PSS, EVERY_GROUP, key), undefined, 'another key');
  t.equal(use(request), undefined, 'an EC key');
  // The types say that it is a string, node that it is a number.
  const saltLength = 32 as unknown as string;
  const prescribed = { modulusLength: 2048, hashAlgorithm: 'sha256', mgf1HashAlgorithm: 'sha256', saltLength };
  const bound = generateKeyPairSync('rsa-pss', prescribed).privateKey;
  t.equal(use(csr(bound, '-subj', '/CN=x'), PSS, EVERY_GROUP, publicKeyFromKeyObject(bound)), undefined, 'parameters');
});

t.test('a certification request for another key, or one that is not strict DER, is refused', async (t) => {
  const good = csr(own.privateKey, '-subj', '/CN=www.example.com');
  t.equal(use(csr(ecKey().privateKey, '-subj', '/CN=x')), undefined, 'another key');
  t.equal(use(Buffer.concat([good, Buffer.of(0)])), undefined, 'a byte more');
  t.equal(use(good.subarray(0, -1)), undefined, 'a byte less');
  const spki = own.publicKey.spki;
  const name = der(0x30);
  const request = (...parts: Buffer[]) => der(0x30, ...parts);
  const zero = Buffer.of(2, 1, 0);
  const attributes = der(0xa0);
  t.equal(use(request(zero, name, spki, attributes)), 'csr');
  t.equal(use(request(Buffer.of(2, 1, 1), name, spki, attributes)), undefined, 'version 1');
  t.equal(use(request(zero, name, spki)), undefined, 'no attributes');
  t.equal(use(request(zero, name, spki, attributes, attributes)), undefined, 'attributes twice');
  t.equal(use(request(zero, name, spki, der(0xa3))), undefined, 'extensions as in a certificate');
  t.equal(use(request(zero, der(0x31), spki, attributes)), undefined, 'a set for a name');
  t.equal(use(request(zero, der(0x30, der(0x31)), spki, attributes)), undefined, 'an empty relative name');
  t.equal(
    use(request(zero, name, spki, der(0xa0, der(0x30, der(6, Buffer.of(42)), der(0x31))))),
    undefined,
    'no value',
  );
  t.equal(
    use(request(zero, name, spki, der(0xa0, der(0x30, der(6, Buffer.of(0x80, 1)), der(0x31, zero))))),
    undefined,
    'a padded OID',
  );
  t.equal(
    use(request(zero, name, spki, der(0xa0, der(0x30, der(6, Buffer.of(42)), der(0x31, Buffer.of(0x30, 0x81, 0)))))),
    undefined,
    'a long length',
  );
  const whole = request(zero, name, spki, attributes);
  t.equal(use(Buffer.concat([Buffer.of(0x30, 0x81), whole.subarray(1)])), undefined, 'a length that is not minimal');
});

t.test('a certification request that is built like ECDHE parameters is a csr, never a tls12-server', async (t) => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = publicKeyFromKeyObject(privateKey);
  const octets = der(4, ecdheParameters('secp256r1'));
  const attribute = der(0x30, der(6, Buffer.of(42, 3)), der(0x31, octets));
  const message = der(0x30, Buffer.of(2, 1, 0), der(0x30), key.spki, der(0xa0, attribute));
  t.equal(message.indexOf(ecdheParameters('secp256r1').subarray(0, 4)), 64, 'the parameters stand where TLS has them');
  t.equal(use(Buffer.concat([Buffer.of(0xff), message.subarray(1)])), 'tls12-server');
  t.equal(use(message, algorithm('ed25519'), EVERY_GROUP, key), 'csr');
  t.equal(use(message), undefined, 'and nothing at all for another key');
});

t.test('what other protocols sign is refused', async (t) => {
  const certificate = certificateOf(own.privateKey);
  t.equal(use(firstInside(certificate)), undefined, 'a certificate');
  const jwt = `${Buffer.from('{"alg":"ES256","typ":"JWT"}').toString('base64url')}.${Buffer.from(JSON.stringify({ sub: 'root', admin: true, padding: 'x'.repeat(40) })).toString('base64url')}`;
  t.equal(use(Buffer.from(jwt)), undefined, 'a JWT');
  const text = (value: string) => vector(4, Buffer.from(value));
  const ssh = Buffer.concat([
    vector(4, randomBytes(32)),
    Buffer.of(50),
    text('root'),
    text('ssh-connection'),
    text('publickey'),
    Buffer.of(1),
    text('ecdsa-sha2-nistp256'),
    vector(4, randomBytes(104)),
  ]);
  t.equal(use(ssh), undefined, 'an SSH login');
  const responseData = der(
    0x30,
    der(0xa2, der(4, randomBytes(20))),
    der(0x18, Buffer.from('20250101000000Z')),
    der(0x30),
  );
  t.equal(use(responseData), undefined, 'an OCSP response');
  t.equal(
    use(
      Buffer.concat([
        Buffer.alloc(64, ' '),
        Buffer.from('TLS, server delegated credentials\0'),
        certificate,
        randomBytes(60),
      ]),
    ),
    undefined,
    'a delegated credential',
  );
  t.equal(use(createHash('sha256').update('x').digest()), undefined, 'a digest');
  t.equal(
    use(Buffer.concat([randoms(), createHash('md5').digest(), createHash('sha1').digest()])),
    undefined,
    'MD5 and SHA-1 of TLS 1.1',
  );
  t.equal(use(Buffer.alloc(0)), undefined, 'nothing');
  t.equal(use(Buffer.alloc(16_384, 0x30)), undefined, 'nested tags');
});
