/** One element of strict DER (X.690 section 10): `bytes` with its tag and length, `content` without. */
export interface Der {
  readonly tag: number;
  readonly bytes: Buffer;
  readonly content: Buffer;
}

/** The one element that fills the bytes exactly, or undefined. */
export function derWhole(bytes: Buffer): Der | undefined {
  const element = derAt(bytes, 0);
  return element?.bytes.length === bytes.length ? element : undefined;
}

/** The elements that fill a constructed element's content exactly, or undefined. */
export function childrenOf(parent: Der): readonly Der[] | undefined {
  if ((parent.tag & CONSTRUCTED) === 0) return undefined;
  const children: Der[] = [];
  for (let at = 0; at < parent.content.length; ) {
    const child = derAt(parent.content, at);
    if (child === undefined) return undefined;
    children.push(child);
    at += child.bytes.length;
  }
  return children;
}

/** Whether an element is sound on all its levels, of which it may have `DEPTH_MAX`. */
export function isWellFormed(element: Der, depth = DEPTH_MAX): boolean {
  if ((element.tag & CONSTRUCTED) === 0) return !MUST_BE_CONSTRUCTED.has(element.tag);
  if (depth === 0) return false;
  return childrenOf(element)?.every((child) => isWellFormed(child, depth - 1)) === true;
}

const CONSTRUCTED = 0x20;
const DEPTH_MAX = 16;
/** SEQUENCE and SET as primitives. */
const MUST_BE_CONSTRUCTED: ReadonlySet<number> = new Set([0x10, 0x11]);

/** A definite length in the fewest bytes; tags above 30 do not occur in what Signet reads. */
function derAt(bytes: Buffer, at: number): Der | undefined {
  if (at + 2 > bytes.length) return undefined;
  const tag = bytes[at] as number;
  if ((tag & 0x1f) === 0x1f || tag === 0) return undefined;
  const first = bytes[at + 1] as number;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || lengthBytes > 4 || at + 2 + lengthBytes > bytes.length) return undefined;
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes);
  if (lengthBytes > 0 && (length < 0x80 || bytes[at + 2] === 0)) return undefined;
  const start = at + 2 + lengthBytes;
  const end = start + length;
  if (end > bytes.length) return undefined;
  return { tag, bytes: bytes.subarray(at, end), content: bytes.subarray(start, end) };
}
