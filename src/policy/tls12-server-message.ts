import type { Tls12Group } from '../tls-groups.js';
import { isSignedBerBody } from './ber-body.js';
import { isPublicKeyOnGroup } from './curve-point.js';
import { startsAsClientHello } from './tls12-client-message.js';

/**
 * What ServerKeyExchange of TLS 1.2 signs (RFC 8422 section 5.4): client random and server random, 32 bytes each, then
 * ServerECDHParams: curve type named_curve, the group, the point's length in one byte, the point.
 *
 * TLS puts no context string here, so 64 bytes are the caller's choice. What keeps other signed things out: the point must be a
 * public key of its group, the group must be granted, and the whole must not be the body of a signed ASN.1 structure. The last
 * is needed although the point is checked: a revocation list or a certification request can hold a string that completes
 * a point in its last bytes. Honest randoms have that form so rarely (docs/tls-bound-signing.md) that such a handshake is refused.
 */
export function isTls12ServerMessage(message: Buffer, groups: ReadonlySet<Tls12Group>): boolean {
  if (message.length < POINT_AT || message[RANDOMS_BYTES] !== NAMED_CURVE) return false;
  const group = GROUP_BY_CODE.get(message.readUInt16BE(RANDOMS_BYTES + 1));
  if (group === undefined || !groups.has(group.name)) return false;
  if (message[POINT_AT - 1] !== group.pointBytes || message.length !== POINT_AT + group.pointBytes) return false;
  if (!isPublicKeyOnGroup(group.name, message.subarray(POINT_AT))) return false;
  return !isSignedBerBody(message) && !startsAsClientHello(message);
}

/** The group that a message of this use names; undefined if it names none that there is. */
export function groupOf(message: Uint8Array): Tls12Group | undefined {
  const code = ((message[RANDOMS_BYTES + 1] ?? 0) << 8) | (message[RANDOMS_BYTES + 2] ?? 0);
  return GROUP_BY_CODE.get(code)?.name;
}

const RANDOMS_BYTES = 64;
const NAMED_CURVE = 3;
const POINT_AT = RANDOMS_BYTES + 4;

/** IANA "TLS Supported Groups"; points are uncompressed (RFC 8422 section 5.4.1), X25519 and X448 as in RFC 7748. */
const GROUP_BY_CODE: ReadonlyMap<number, { name: Tls12Group; pointBytes: number }> = new Map([
  [0x0017, { name: 'secp256r1', pointBytes: 65 }],
  [0x0018, { name: 'secp384r1', pointBytes: 97 }],
  [0x0019, { name: 'secp521r1', pointBytes: 133 }],
  [0x001d, { name: 'x25519', pointBytes: 32 }],
  [0x001e, { name: 'x448', pointBytes: 56 }],
]);
