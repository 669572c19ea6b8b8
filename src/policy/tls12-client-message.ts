/**
 * What CertificateVerify of a TLS 1.2 client signs (RFC 5246 section 7.4.8): every handshake message from ClientHello to
 * ClientKeyExchange, each with its type and 3-byte length. The walk demands the order of a handshake with client authentication
 * (RFC 5246 section 7.3, RFC 6066 section 8 for CertificateStatus), whole messages, and that each is built as its type says.
 */
export function isTls12ClientMessage(message: Buffer): boolean {
  if (!startsAsClientHello(message)) return false;
  let at = 0;
  for (const step of HANDSHAKE) {
    const body = bodyAt(message, at, step.type);
    if (body === undefined) {
      if (step.optional) continue;
      return false;
    }
    if (!step.isBody(body)) return false;
    at += HEADER_BYTES + body.length;
  }
  return at === message.length;
}

/** Whether the bytes begin as a ClientHello does that fits into 64 KiB; cheap. */
export function startsAsClientHello(message: Buffer): boolean {
  return message[0] === 1 && message[1] === 0 && message[4] === 3 && message[5] === 3;
}

interface Step {
  readonly type: number;
  readonly optional: boolean;
  isBody(body: Buffer): boolean;
}

/** A client certificate needs a server that is not anonymous, so the server's Certificate is never missing (RFC 5246 7.4.4). */
const HANDSHAKE: readonly Step[] = [
  { type: 1, optional: false, isBody: isClientHello },
  { type: 2, optional: false, isBody: isServerHello },
  { type: 11, optional: false, isBody: isCertificate },
  { type: 22, optional: true, isBody: isCertificateStatus },
  // Missing with RSA key exchange.
  { type: 12, optional: true, isBody: (body) => body.length > 0 },
  { type: 13, optional: false, isBody: isCertificateRequest },
  { type: 14, optional: false, isBody: (body) => body.length === 0 },
  { type: 11, optional: false, isBody: isCertificate },
  { type: 16, optional: false, isBody: isClientKeyExchange },
];

const HEADER_BYTES = 4;

/** The body of the whole handshake message at a place if it is of the type. */
function bodyAt(message: Buffer, at: number, type: number): Buffer | undefined {
  if (at + HEADER_BYTES > message.length || message[at] !== type) return undefined;
  const end = at + HEADER_BYTES + message.readUIntBE(at + 1, 3);
  return end <= message.length ? message.subarray(at + HEADER_BYTES, end) : undefined;
}

const TLS12 = 0x0303;
const RANDOM_BYTES = 32;
const SESSION_ID_AT = 2 + RANDOM_BYTES;
const SESSION_ID_BYTES_MAX = 32;

/** RFC 5246 section 7.4.1.2. */
function isClientHello(body: Buffer): boolean {
  const suitesAt = afterSessionId(body);
  const compressionAt = afterVector(body, suitesAt, 2);
  if ((compressionAt - suitesAt) % 2 !== 0 || compressionAt - suitesAt < 4) return false;
  const extensionsAt = afterVector(body, compressionAt, 1);
  return extensionsAt - compressionAt >= 2 && isExtensions(body, extensionsAt);
}

/** RFC 5246 section 7.4.1.3: after the session id one cipher suite and one compression method. */
function isServerHello(body: Buffer): boolean {
  const suiteAt = afterSessionId(body);
  return suiteAt + 3 <= body.length && isExtensions(body, suiteAt + 3);
}

/** Where the session id ends, or NaN, with which every comparison fails. */
function afterSessionId(body: Buffer): number {
  if (body.length <= SESSION_ID_AT || body.readUInt16BE(0) !== TLS12) return Number.NaN;
  const end = afterVector(body, SESSION_ID_AT, 1);
  return end - SESSION_ID_AT - 1 <= SESSION_ID_BYTES_MAX ? end : Number.NaN;
}

/** Either nothing follows, or one vector of extensions, each a 2-byte type and a 2-byte length, to the very end. */
function isExtensions(body: Buffer, at: number): boolean {
  if (at === body.length) return true;
  if (afterVector(body, at, 2) !== body.length) return false;
  let extension = at + 2;
  while (extension < body.length) extension = afterVector(body, extension + 2, 2);
  return extension === body.length;
}

/** RFC 5246 section 7.4.2: a list of at least one certificate; without one there is nothing to verify. */
function isCertificate(body: Buffer): boolean {
  if (body.length <= 3 || afterVector(body, 0, 3) !== body.length) return false;
  let at = 3;
  while (at < body.length) {
    const end = afterVector(body, at, 3);
    if (!(end - at > 3) || body[at + 3] !== DER_SEQUENCE) return false;
    at = end;
  }
  return at === body.length;
}

const DER_SEQUENCE = 0x30;

/** RFC 6066 section 8: status type ocsp(1) or RFC 6961's ocsp_multi(2), and one vector. */
function isCertificateStatus(body: Buffer): boolean {
  return (body[0] === 1 || body[0] === 2) && afterVector(body, 1, 3) === body.length;
}

/** RFC 5246 section 7.4.4: certificate types, signature algorithms, names of authorities. */
function isCertificateRequest(body: Buffer): boolean {
  const algorithmsAt = afterVector(body, 0, 1);
  const authoritiesAt = afterVector(body, algorithmsAt, 2);
  if (!(algorithmsAt >= 2 && authoritiesAt - algorithmsAt >= 4)) return false;
  return (authoritiesAt - algorithmsAt) % 2 === 0 && afterVector(body, authoritiesAt, 2) === body.length;
}

/** One point with a 1-byte length (RFC 8422 section 5.7), or one RSA or DH value with a 2-byte length (RFC 5246 section 7.4.7). */
function isClientKeyExchange(body: Buffer): boolean {
  if (body.length < 2) return false;
  return afterVector(body, 0, 1) === body.length || (body.length > 2 && afterVector(body, 0, 2) === body.length);
}

/** Where the vector at a place ends, its length standing in `lengthBytes` before it, or NaN if it does not fit. */
function afterVector(body: Buffer, at: number, lengthBytes: number): number {
  if (!(at + lengthBytes <= body.length)) return Number.NaN;
  const end = at + lengthBytes + body.readUIntBE(at, lengthBytes);
  return end <= body.length ? end : Number.NaN;
}
