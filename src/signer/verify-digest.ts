/**
 * Verification over a bare digest. Node verifies messages only; what it lacks is made here of what it has, the RSA public
 * operation and hashes, and for ECDSA in verify-ecdsa.ts. Nothing here is secret.
 */
import { constants, createHash, publicDecrypt } from 'node:crypto';
import type { Algorithm, HashName } from '../algorithms.js';
import type { PublicKey } from '../public-key.js';
import { digestInfo } from './make-signature.js';
import { verifiesEcdsa } from './verify-ecdsa.js';

/** Whether a signature, as TLS carries it, is the key's over the digest. */
export function verifiesDigest(key: PublicKey, algorithm: Algorithm, digest: Buffer, signature: Buffer): boolean {
  try {
    if (algorithm.hash === undefined || digest.length !== algorithm.digestBytes) return false;
    if (algorithm.padding === 'pkcs1') return isPkcs1(key, algorithm.hash, digest, signature);
    if (algorithm.padding === 'pss') return isPss(key, algorithm.hash, digest, signature);
    return verifiesEcdsa(key, digest, signature);
  } catch {
    // OpenSSL throws on a signature whose padding or numbers are none.
    return false;
  }
}

/** RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.2). */
function isPkcs1(key: PublicKey, hash: HashName, digest: Buffer, signature: Buffer): boolean {
  const content = publicDecrypt({ key: key.keyObject, padding: constants.RSA_PKCS1_PADDING }, signature);
  return content.equals(digestInfo(hash, digest));
}

/** EMSA-PSS-VERIFY with a salt as long as the hash (RFC 8017 section 9.1.2). */
function isPss(key: PublicKey, hash: HashName, digest: Buffer, signature: Buffer): boolean {
  const encoded = publicDecrypt({ key: key.keyObject, padding: constants.RSA_NO_PADDING }, signature);
  const spareBits = 8 * encoded.length - (key.bits - 1);
  const hashAt = encoded.length - digest.length - 1;
  if (spareBits < 1 || spareBits > 8 || encoded[encoded.length - 1] !== 0xbc) return false;
  const maskedBlock = encoded.subarray(0, hashAt);
  const seed = encoded.subarray(hashAt, -1);
  // When the modulus is one bit longer than whole bytes, the encoded message has no first byte, and a zero stands there.
  const from = spareBits === 8 ? 1 : 0;
  const first = maskedBlock.readUInt8(0);
  if (first >> (8 - spareBits) !== 0) return false;
  const block = xor(maskedBlock.subarray(from), mgf1(hash, seed, hashAt - from));
  if (from === 0) block[0] = block.readUInt8(0) & (0xff >> spareBits);
  const saltAt = block.length - digest.length;
  const separatorAt = saltAt - 1;
  if (block[separatorAt] !== 1 || block.subarray(0, separatorAt).some((byte) => byte !== 0)) return false;
  const salted = createHash(hash).update(Buffer.alloc(8)).update(digest).update(block.subarray(saltAt)).digest();
  return salted.equals(seed);
}

/** MGF1 (RFC 8017 appendix B.2.1). */
function mgf1(hash: HashName, seed: Buffer, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let have = 0, counter = 0; have < length; counter++) {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(counter);
    const block = createHash(hash).update(seed).update(count).digest();
    blocks.push(block);
    have += block.length;
  }
  return Buffer.concat(blocks).subarray(0, length);
}

function xor(a: Buffer, b: Buffer): Buffer {
  const result = Buffer.alloc(a.length);
  for (let i = 0; i < a.length; i++) result[i] = (a[i] ?? 0) ^ (b[i] ?? 0);
  return result;
}
