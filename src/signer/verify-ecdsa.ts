import { createECDH } from 'node:crypto';
import type { PublicKey } from '../public-key.js';

/** A curve's numbers (SEC 2 version 2, sections 2.4.2, 2.5.1, 2.6.1); a is -3 on each. */
interface Curve {
  readonly name: string;
  readonly bytes: number;
  readonly p: bigint;
  readonly n: bigint;
  readonly b: bigint;
  /** The generator, compressed. */
  readonly generator: Buffer;
}

const CURVES: Readonly<Record<number, Curve>> = {
  256: {
    name: 'prime256v1',
    bytes: 32,
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
    generator: Buffer.from('036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296', 'hex'),
  },
  384: {
    name: 'secp384r1',
    bytes: 48,
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
    generator: Buffer.from(
      '03aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7',
      'hex',
    ),
  },
  521: {
    name: 'secp521r1',
    bytes: 66,
    p: 2n ** 521n - 1n,
    n: 0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
    b: 0x51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
    generator: Buffer.from(
      '0200c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66',
      'hex',
    ),
  },
};

/**
 * ECDSA verification (FIPS 186-5 section 6.4.2): whether r is the x of R = u1·G + u2·Q. Diffie-Hellman gives the x of u1·G and
 * of u2·Q and no y, so R is one of two points, the sum or the difference, and r is right if it is the x of either. These two
 * x are the roots of a quadratic equation whose coefficients need no y. That the difference passes too costs nothing: to
 * forge one is as hard as to forge the other.
 */
export function verifiesEcdsa(key: PublicKey, digest: Buffer, signature: Buffer): boolean {
  const curve = CURVES[key.bits];
  const numbers = derNumbers(signature);
  if (!curve || !numbers) return false;
  const { n, p, b } = curve;
  const [r, s] = numbers;
  if (r < 1n || r >= n || s < 1n || s >= n) return false;
  const inverse = inverseModulo(s, n);
  const u1 = (leftmostBits(digest, key.bits) * inverse) % n;
  const u2 = (r * inverse) % n;
  const x2 = xOfProduct(curve, u2, publicPoint(key, curve));
  if (u1 === 0n) return x2 % n === r;
  const x1 = xOfProduct(curve, u1, curve.generator);
  // x² − S·x + P = 0, times (x1 − x2)², with a = −3.
  const scale = (x1 - x2) ** 2n;
  const sum = 2n * ((x1 * x2 - 3n) * (x1 + x2) + 2n * b);
  const product = (x1 * x2 + 3n) ** 2n - 4n * b * (x1 + x2);
  const isRoot = (x: bigint) => (scale * x * x - sum * x + product) % p === 0n;
  return isRoot(r) || (r + n < p && isRoot(r + n));
}

/** The x of k·point. */
function xOfProduct(curve: Curve, k: bigint, point: Buffer): bigint {
  const multiplier = createECDH(curve.name);
  multiplier.setPrivateKey(bytesOf(k, curve.bytes));
  return numberOf(multiplier.computeSecret(point));
}

/** The point that ends a canonical SubjectPublicKeyInfo. */
function publicPoint(key: PublicKey, curve: Curve): Buffer {
  return key.spki.subarray(key.spki.length - 1 - 2 * curve.bytes);
}

function leftmostBits(digest: Buffer, bits: number): bigint {
  const excess = 8 * digest.length - bits;
  return excess > 0 ? numberOf(digest) >> BigInt(excess) : numberOf(digest);
}

/** r and s of a DER signature that `ecdsaDer` wrote. */
function derNumbers(signature: Buffer): [bigint, bigint] | undefined {
  let at = signature[1] === 0x81 ? 3 : 2;
  const numbers: bigint[] = [];
  while (at + 2 <= signature.length) {
    const length = signature.readUInt8(at + 1);
    numbers.push(numberOf(signature.subarray(at + 2, at + 2 + length)));
    at += 2 + length;
  }
  const [r, s] = numbers;
  return numbers.length === 2 && r !== undefined && s !== undefined ? [r, s] : undefined;
}

/** The extended Euclidean algorithm; `modulus` is prime. */
function inverseModulo(value: bigint, modulus: bigint): bigint {
  let [a, b] = [value % modulus, modulus];
  let [x, y] = [1n, 0n];
  while (b !== 0n) {
    const quotient = a / b;
    [a, b] = [b, a - quotient * b];
    [x, y] = [y, x - quotient * y];
  }
  return ((x % modulus) + modulus) % modulus;
}

function numberOf(bytes: Buffer): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toString('hex')}`);
}

function bytesOf(number: bigint, length: number): Buffer {
  return Buffer.from(number.toString(16).padStart(2 * length, '0'), 'hex');
}
