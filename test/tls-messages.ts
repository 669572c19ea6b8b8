import { execFileSync } from 'node:child_process';
import { createECDH, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Algorithm, algorithmNamed } from '../src/algorithms.js';
import { type PublicKey, publicKeyFromKeyObject } from '../src/public-key.js';
import { TLS12_GROUPS, type Tls12Group } from '../src/tls-groups.js';

/** Messages as TLS peers and others sign them, built here from the RFCs and not by the code under test. */

export const EVERY_GROUP: ReadonlySet<Tls12Group> = new Set(TLS12_GROUPS);

export function algorithm(name: string): Algorithm {
  const found = algorithmNamed(name);
  if (!found) throw new Error(`no algorithm ${name}`);
  return found;
}

export function ecKey(namedCurve = 'P-256'): { privateKey: KeyObject; publicKey: PublicKey } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve });
  return { privateKey, publicKey: publicKeyFromKeyObject(privateKey) };
}

export function tls13(side: 'server' | 'client', hash: Uint8Array = randomBytes(32)): Buffer {
  return Buffer.concat([Buffer.alloc(64, ' '), Buffer.from(`TLS 1.3, ${side} CertificateVerify\0`), hash]);
}

const CODE: Record<Tls12Group, number> = { secp256r1: 23, secp384r1: 24, secp521r1: 25, x25519: 29, x448: 30 };
const CURVE: Partial<Record<Tls12Group, string>> = {
  secp256r1: 'prime256v1',
  secp384r1: 'secp384r1',
  secp521r1: 'secp521r1',
};

export function ephemeralKey(group: Tls12Group): Buffer {
  const curve = CURVE[group];
  if (curve) return createECDH(curve).generateKeys();
  // Any reduced number will do; real keys come from real-handshake.test.ts. The last byte keeps it below both primes.
  return Buffer.concat([randomBytes(group === 'x448' ? 55 : 31), Buffer.of(0x55)]);
}

/** A client's random does not begin with 0x30 here: docs/tls-bound-signing.md says what becomes of those that do. */
export function randoms(): Buffer {
  const bytes = randomBytes(64);
  if (bytes[0] === 0x30 || bytes[0] === 0x31 || bytes[0] === 1) bytes[0] = 0xff;
  return bytes;
}

export function ecdheParameters(group: Tls12Group, point = ephemeralKey(group)): Buffer {
  return Buffer.concat([Buffer.of(3, 0, CODE[group], point.length), point]);
}

export function tls12Server(group: Tls12Group, first = randoms(), point = ephemeralKey(group)): Buffer {
  return Buffer.concat([first, ecdheParameters(group, point)]);
}

export function vector(lengthBytes: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(content.length, 0, lengthBytes);
  return Buffer.concat([length, content]);
}

export function handshake(type: number, ...parts: Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.of(type), vector(3, ...parts)]);
}

const VERSION = Buffer.of(3, 3);
const EXTENSIONS = vector(2, Buffer.of(0, 23, 0, 0), Buffer.of(0, 11), vector(2, vector(1, Buffer.of(0))));

export interface ClientFlight {
  hello: Buffer;
  serverHello: Buffer;
  serverCertificate: Buffer;
  status: Buffer;
  serverKeyExchange: Buffer;
  certificateRequest: Buffer;
  serverHelloDone: Buffer;
  clientCertificate: Buffer;
  clientKeyExchange: Buffer;
}

/** The messages of a TLS 1.2 handshake with client authentication, in their order. */
export function clientFlight(): ClientFlight {
  const certificate = Buffer.concat([Buffer.of(0x30, 0x82, 1, 0), randomBytes(256)]);
  return {
    hello: handshake(
      1,
      VERSION,
      randomBytes(32),
      vector(1, randomBytes(32)),
      vector(2, Buffer.of(0xc0, 0x2b, 0xc0, 0x2f)),
      vector(1, Buffer.of(0)),
      EXTENSIONS,
    ),
    serverHello: handshake(2, VERSION, randomBytes(32), vector(1), Buffer.of(0xc0, 0x2b, 0), EXTENSIONS),
    serverCertificate: handshake(11, vector(3, vector(3, certificate), vector(3, certificate))),
    status: handshake(22, Buffer.of(1), vector(3, randomBytes(500))),
    serverKeyExchange: handshake(12, ecdheParameters('x25519'), Buffer.of(4, 3), vector(2, randomBytes(71))),
    certificateRequest: handshake(
      13,
      vector(1, Buffer.of(1, 64)),
      vector(2, Buffer.of(4, 3, 8, 4)),
      vector(2, vector(2, randomBytes(40))),
    ),
    serverHelloDone: handshake(14),
    clientCertificate: handshake(11, vector(3, vector(3, certificate))),
    clientKeyExchange: handshake(16, vector(1, ephemeralKey('x25519'))),
  };
}

export function tls12Client(flight: Partial<ClientFlight> = {}): Buffer {
  return Buffer.concat(Object.values({ ...clientFlight(), ...flight }));
}

/** The CertificationRequestInfo of a request that the openssl command made. */
export function csr(privateKey: KeyObject, ...options: string[]): Buffer {
  return firstInside(openssl(privateKey, ['req', '-new', ...options]));
}

/** A certificate for the key, signed by itself, DER. */
export function certificateOf(privateKey: KeyObject): Buffer {
  return openssl(privateKey, ['req', '-x509', '-new', '-subj', '/CN=x']);
}

function openssl(privateKey: KeyObject, options: string[]): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'signet-openssl-'));
  try {
    const file = join(folder, 'key.pem');
    writeFileSync(file, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
    return execFileSync('openssl', [...options, '-batch', '-key', file, '-outform', 'DER']);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The first element inside a DER sequence: what a signed ASN.1 structure signs. */
export function firstInside(der: Buffer): Buffer {
  const { start } = header(der, 0);
  const { end } = header(der, start);
  return der.subarray(start, end);
}

function header(der: Buffer, at: number): { start: number; end: number } {
  const first = der[at + 1] as number;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const start = at + 2 + lengthBytes;
  return { start, end: start + (lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes)) };
}

export function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length =
    content.length < 0x80
      ? vector(1, content)
      : content.length < 0x100
        ? Buffer.concat([Buffer.of(0x81), vector(1, content)])
        : Buffer.concat([Buffer.of(0x82), vector(2, content)]);
  return Buffer.concat([Buffer.of(tag), length]);
}
