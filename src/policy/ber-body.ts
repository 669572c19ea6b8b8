/**
 * Whether the bytes have the outer form of something that is signed in ASN.1: the body of a certificate, a revocation list, a
 * certification request, an OCSP response, a time stamp, or the signed attributes of CMS. Used to refuse, so it is wide where
 * a strict reader is narrow: BER as well as DER, because OpenSSL takes certificates in BER, and nothing below the first
 * level is looked at, because a liberal reader need not look there either.
 */
export function isSignedBerBody(bytes: Buffer): boolean {
  const tag = bytes[0];
  if (tag !== SEQUENCE && tag !== SET) return false;
  const outer = elementAt(bytes, 0, bytes.length, DEPTH_MAX);
  if (outer?.end !== bytes.length) return false;
  const children = childTags(bytes, outer.contentStart, outer.contentEnd);
  if (children === undefined) return false;
  if (tag === SET) return children.length > 0 && children.every((child) => child === SEQUENCE);
  return children.length >= BODY_CHILDREN_MIN && FIRST_CHILDREN.has(children[0] as number);
}

const SEQUENCE = 0x30;
const SET = 0x31;
/** The smallest bodies, a version 1 revocation list and an OCSP ResponseData, have three parts. */
const BODY_CHILDREN_MIN = 3;
/** INTEGER, SEQUENCE, [0], [1], [2]: serial or version, algorithm, version, responder by name, responder by key. */
const FIRST_CHILDREN: ReadonlySet<number> = new Set([0x02, SEQUENCE, 0xa0, 0xa1, 0xa2]);
/** Only elements of indefinite length are followed inwards; a real body has fewer levels. */
const DEPTH_MAX = 16;

interface Element {
  readonly contentStart: number;
  readonly contentEnd: number;
  readonly end: number;
}

/** The first byte of each child's tag, or undefined if the children do not fill the content exactly. */
function childTags(bytes: Buffer, start: number, end: number): number[] | undefined {
  const tags: number[] = [];
  for (let at = start; at < end; ) {
    const child = elementAt(bytes, at, end, DEPTH_MAX);
    if (child === undefined) return undefined;
    tags.push(bytes[at] as number);
    at = child.end;
  }
  return tags;
}

/** The BER element at a place (X.690 section 8.1), or undefined if it does not fit before `limit`. */
function elementAt(bytes: Buffer, at: number, limit: number, depth: number): Element | undefined {
  const lengthAt = afterTag(bytes, at, limit);
  if (lengthAt >= limit || depth === 0) return undefined;
  const first = bytes[lengthAt] as number;
  if (first < 0x80) return definite(lengthAt + 1, first, limit);
  if (first === 0x80) return indefinite(bytes, lengthAt + 1, limit, depth);
  const lengthBytes = first & 0x7f;
  if (lengthAt + 1 + lengthBytes > limit) return undefined;
  let length = 0;
  for (let i = 1; i <= lengthBytes; i++) length = length * 256 + (bytes[lengthAt + i] as number);
  return definite(lengthAt + 1 + lengthBytes, length, limit);
}

function afterTag(bytes: Buffer, at: number, limit: number): number {
  if (((bytes[at] as number) & 0x1f) !== 0x1f) return at + 1;
  let next = at + 1;
  while (next < limit && (bytes[next] as number) >= 0x80) next++;
  return next + 1;
}

function definite(contentStart: number, length: number, limit: number): Element | undefined {
  const end = contentStart + length;
  return end <= limit ? { contentStart, contentEnd: end, end } : undefined;
}

function indefinite(bytes: Buffer, contentStart: number, limit: number, depth: number): Element | undefined {
  for (let at = contentStart; at + 2 <= limit; ) {
    if (bytes[at] === 0 && bytes[at + 1] === 0) return { contentStart, contentEnd: at, end: at + 2 };
    const child = elementAt(bytes, at, limit, depth - 1);
    if (child === undefined) return undefined;
    at = child.end;
  }
  return undefined;
}
