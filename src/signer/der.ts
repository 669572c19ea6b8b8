/** The little of DER (X.690) that a signer writes and reads itself. */

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const SEQUENCE = 0x30;
/** AlgorithmIdentifier's OID id-ecPublicKey, 1.2.840.10045.2.1 (RFC 5480 section 2.1.1). */
const ID_EC_PUBLIC_KEY = Buffer.from('06072a8648ce3d0201', 'hex');
/** SubjectPublicKeyInfo of Ed25519 up to its 32 bytes (RFC 8410 section 4). */
const ED25519_SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** An EC SubjectPublicKeyInfo of CKA_EC_PARAMS and a bare point (RFC 5480 section 2). */
export function ecSpki(parameters: Buffer, point: Buffer): Buffer {
  const algorithm = der(SEQUENCE, Buffer.concat([ID_EC_PUBLIC_KEY, parameters]));
  return der(SEQUENCE, Buffer.concat([algorithm, der(BIT_STRING, Buffer.concat([Buffer.of(0), point]))]));
}

/** An Ed25519 SubjectPublicKeyInfo of the 32 bytes of the key. */
export function ed25519Spki(point: Buffer): Buffer {
  return Buffer.concat([ED25519_SPKI_HEAD, point]);
}

/** The content of an OCTET STRING that fills the buffer, or undefined if it is none. */
export function octetStringContent(bytes: Buffer): Buffer | undefined {
  if (bytes.length < 2 || bytes[0] !== OCTET_STRING) return undefined;
  const first = bytes.readUInt8(1);
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (lengthBytes > 2 || bytes.length < 2 + lengthBytes) return undefined;
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(2, lengthBytes);
  const content = bytes.subarray(2 + lengthBytes);
  return content.length === length ? content : undefined;
}

/** PKCS#11's r || s as the DER that TLS carries: SEQUENCE of two INTEGERs (RFC 3279 section 2.2.3). In one allocation: it is on the hot path. */
export function ecdsaDer(rAndS: Buffer): Buffer {
  const half = rAndS.length / 2;
  const r = firstByte(rAndS, 0, half);
  const s = firstByte(rAndS, half, rAndS.length);
  const [rBytes, sBytes] = [half - r + padding(rAndS, r), rAndS.length - s + padding(rAndS, s)];
  const content = 4 + rBytes + sBytes;
  const header = content < 0x80 ? 2 : 3;
  const signature = Buffer.alloc(header + content);
  signature[0] = SEQUENCE;
  if (header === 3) signature[1] = 0x81;
  signature[header - 1] = content;
  writeInteger(signature, header, rBytes, rAndS, r, half);
  writeInteger(signature, header + 2 + rBytes, sBytes, rAndS, s, rAndS.length);
  return signature;
}

/** Where a positive INTEGER begins: leading zeros are left out, but not the last byte. */
function firstByte(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end - 1 && bytes[at] === 0) at++;
  return at;
}

/** A zero before it keeps the top bit clear. */
function padding(bytes: Buffer, at: number): number {
  return (bytes[at] as number) < 0x80 ? 0 : 1;
}

function writeInteger(into: Buffer, at: number, length: number, bytes: Buffer, from: number, end: number): void {
  into[at] = INTEGER;
  into[at + 1] = length;
  bytes.copy(into, at + 2 + length - (end - from), from, end);
}

function der(tag: number, content: Buffer): Buffer {
  const length = content.length;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), content]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), content]);
}
