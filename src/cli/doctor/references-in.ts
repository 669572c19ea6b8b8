/** The SubjectPublicKeyInfo of each reference PEM in a text (docs/reference-pem.md). Throws if one is broken. */
export function referencesIn(pem: string): Buffer[] {
  return [...pem.matchAll(BLOCK)].map(([, base64 = '']) => spkiOf(Buffer.from(base64, 'base64')));
}

const BLOCK = /-----BEGIN SIGNET KEY REFERENCE-----([A-Za-z0-9+/=\s]*)-----END SIGNET KEY REFERENCE-----/g;
const SEQUENCE = 0x30;
/** INTEGER 1: the version. */
const VERSION = Buffer.from('020101', 'hex');

/** The second element of the outer SEQUENCE, after the version. */
function spkiOf(der: Buffer): Buffer {
  const outer = elementAt(der, 0);
  if (!der.subarray(outer.from, outer.from + VERSION.length).equals(VERSION))
    throw new Error('expected a reference of version 1');
  const start = outer.from + VERSION.length;
  return der.subarray(start, elementAt(der, start).to);
}

/** Where the content of a SEQUENCE begins and ends (X.690 section 8.1.3, definite form). */
function elementAt(der: Buffer, at: number): { from: number; to: number } {
  const [tag, first = 0] = der.subarray(at, at + 2);
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const length = lengthBytes === 0 ? first : lengthBytes <= 2 ? der.readUIntBE(at + 2, lengthBytes) : Number.NaN;
  const from = at + 2 + lengthBytes;
  if (tag === SEQUENCE && from + length <= der.length) return { from, to: from + length };
  throw new Error('expected a SEQUENCE of DER in the reference');
}
