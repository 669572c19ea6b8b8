/**
 * The content that CertificateVerify of TLS 1.3 signs (RFC 8446 section 4.4.3): 64 spaces, a context string, a zero byte and the
 * transcript hash. The hash is of the cipher suite: SHA-256 (32 bytes) or SHA-384 (48).
 */
export function tls13UseOf(message: Buffer): 'tls13-server' | 'tls13-client' | undefined {
  if (message.length !== PREFIX_BYTES + 32 && message.length !== PREFIX_BYTES + 48) return undefined;
  if (message[0] !== SPACE) return undefined;
  if (startsWith(message, SERVER_PREFIX)) return 'tls13-server';
  if (startsWith(message, CLIENT_PREFIX)) return 'tls13-client';
  return undefined;
}

const SPACE = 0x20;
const SERVER_PREFIX = prefix('TLS 1.3, server CertificateVerify');
const CLIENT_PREFIX = prefix('TLS 1.3, client CertificateVerify');
const PREFIX_BYTES = SERVER_PREFIX.length;

function prefix(context: string): Buffer {
  return Buffer.from(`${' '.repeat(64)}${context}\0`, 'latin1');
}

function startsWith(message: Buffer, expected: Buffer): boolean {
  return message.compare(expected, 0, expected.length, 0, expected.length) === 0;
}
