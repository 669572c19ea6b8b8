import type { Tls12Group } from '../tls-groups.js';

/**
 * Whether bytes of the group's exact length are a public key that an honest peer can have made: an uncompressed point on the
 * NIST curve, or a canonical u-coordinate of a Montgomery curve that is not of low order. By BigInt: 2 to 5 µs.
 */
export function isPublicKeyOnGroup(group: Tls12Group, point: Buffer): boolean {
  switch (group) {
    case 'secp256r1':
      return isOnCurve(P256, point);
    case 'secp384r1':
      return isOnCurve(P384, point);
    case 'secp521r1':
      return isOnCurve(P521, point);
    case 'x25519':
      return isMontgomeryKey(X25519, point);
    case 'x448':
      return isMontgomeryKey(X448, point);
  }
}

interface NistCurve {
  readonly fieldBytes: number;
  readonly p: bigint;
  readonly b: bigint;
}

/** FIPS 186-4, D.1.2: y² = x³ - 3x + b (mod p). */
const P256: NistCurve = {
  fieldBytes: 32,
  p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
  b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
};
const P384: NistCurve = {
  fieldBytes: 48,
  p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
  b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
};
const P521: NistCurve = {
  fieldBytes: 66,
  p: 2n ** 521n - 1n,
  b: BigInt(
    '0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e1' +
      '56193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00',
  ),
};

/** SEC 1, section 2.3.3: the leading byte of an uncompressed point. */
const UNCOMPRESSED = 4;

function isOnCurve({ fieldBytes, p, b }: NistCurve, point: Buffer): boolean {
  if (point.length !== 1 + 2 * fieldBytes || point[0] !== UNCOMPRESSED) return false;
  const x = BigInt(`0x${point.toString('hex', 1, 1 + fieldBytes)}`);
  const y = BigInt(`0x${point.toString('hex', 1 + fieldBytes)}`);
  if (x >= p || y >= p) return false;
  return (y * y - (x * x - 3n) * x - b) % p === 0n;
}

interface MontgomeryCurve {
  readonly bytes: number;
  readonly p: bigint;
  /** The canonical u-coordinates of low order. */
  readonly lowOrder: ReadonlySet<bigint>;
}

/** RFC 7748, section 4.1, and section 6.1 on low order; the two long numbers are those of order 8. */
const X25519: MontgomeryCurve = {
  bytes: 32,
  p: 2n ** 255n - 19n,
  lowOrder: new Set([
    0n,
    1n,
    2n ** 255n - 20n,
    325606250916557431795983626356110631294008115727848805560023387167927233504n,
    39382357235489614581723060781553021112529911719440698176882885853963445705823n,
  ]),
};
/** RFC 7748, section 4.2. */
const X448: MontgomeryCurve = {
  bytes: 56,
  p: 2n ** 448n - 2n ** 224n - 1n,
  lowOrder: new Set([0n, 1n, 2n ** 448n - 2n ** 224n - 2n]),
};

function isMontgomeryKey({ bytes, p, lowOrder }: MontgomeryCurve, key: Buffer): boolean {
  if (key.length !== bytes) return false;
  const u = BigInt(`0x${Buffer.from(key).reverse().toString('hex')}`);
  return u < p && !lowOrder.has(u);
}
