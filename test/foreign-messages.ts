import { createHash, randomBytes } from 'node:crypto';
import {
  certificateOf,
  csr,
  der,
  ecdheParameters,
  ecKey,
  firstInside,
  randoms,
  tls13,
  vector,
} from './tls-messages.js';

/** What other protocols have signed: none of it is for a TLS use. Each is built as its own specification says. */
export function foreignMessages(): Readonly<Record<string, Buffer>> {
  const { privateKey } = ecKey();
  const body = firstInside(certificateOf(privateKey));
  const spaces = Buffer.alloc(64, ' ');
  const credential = Buffer.concat([Buffer.from([0, 9, 58, 128, 4, 3]), body.subarray(-91)]);
  const text = (value: string) => vector(4, Buffer.from(value));
  const claims = JSON.stringify({ iss: 'x', sub: 'root', exp: 4_102_444_800, admin: true });
  return {
    // RFC 9345 section 4
    'delegated credential': Buffer.concat([
      spaces,
      Buffer.from('TLS, server delegated credentials\0'),
      body,
      credential,
    ]),
    'delegated credential of a client': Buffer.concat([
      spaces,
      Buffer.from('TLS, client delegated credentials\0'),
      body,
      credential,
    ]),
    // QUIC Crypto, 2016: the proof signs a context, the hash of the hello, and the server's configuration
    gQUIC: Buffer.concat([
      Buffer.from('QUIC CHLO and server config signature\0'),
      Buffer.of(32, 0, 0, 0),
      randomBytes(32),
      Buffer.from('SCFG'),
      randomBytes(120),
    ]),
    'X.509 certificate': body,
    'request for another key': csr(privateKey, '-subj', '/CN=www.example.com'),
    // RFC 6960 section 4.2.1
    OCSP: der(0x30, der(0xa2, der(4, randomBytes(20))), der(0x18, Buffer.from('20260101000000Z')), der(0x30)),
    // RFC 7519, RFC 7515
    JWT: Buffer.from(
      `${Buffer.from('{"alg":"ES256","typ":"JWT"}').toString('base64url')}.${Buffer.from(claims).toString('base64url')}`,
    ),
    // RFC 4252 section 7
    SSH: Buffer.concat([
      vector(4, randomBytes(32)),
      Buffer.of(50),
      ...['root', 'ssh-connection', 'publickey'].map(text),
      Buffer.of(1),
      text('ecdsa-sha2-nistp256'),
      vector(4, randomBytes(104)),
    ]),
    // RFC 4251 and OpenSSH's PROTOCOL.sshsig
    'SSH signature of a file': Buffer.concat([
      Buffer.from('SSHSIG'),
      ...['git', '', 'sha512'].map(text),
      vector(4, randomBytes(64)),
    ]),
    // RFC 5246's predecessors: RFC 4346 section 7.4.3
    'MD5 and SHA-1': Buffer.concat([createHash('md5').digest(), createHash('sha1').digest()]),
    'SHA-1': createHash('sha1').update('x').digest(),
    'SHA-256': createHash('sha256').update('x').digest(),
    'TLS 1.3 with a transcript of SHA-1': tls13('server', createHash('sha1').digest()),
    'finite-field Diffie-Hellman of TLS 1.2': Buffer.concat([
      randoms(),
      ...[256, 1, 256].map((length) => vector(2, randomBytes(length))),
    ]),
    'parameters without their randoms': ecdheParameters('x25519'),
  };
}
