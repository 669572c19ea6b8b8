import type pkcs11js from 'pkcs11js';
import { type Algorithm, algorithmsOf } from '../algorithms.js';
import type { PublicKey } from '../public-key.js';
import type { Token } from './token.js';

/** The mechanisms that a token lists; undefined if it tells none, which then says nothing about what it can do. */
export function listMechanisms(p11: pkcs11js.PKCS11, slot: pkcs11js.Handle): ReadonlySet<number> | undefined {
  try {
    const listed = p11.C_GetMechanismList(slot);
    return listed.length > 0 ? new Set(listed) : undefined;
  } catch {
    return undefined;
  }
}

/** What the token can make with a key, preferred first. Nothing else may reach C_SignInit: SoftHSM 2.6.1 crashes on some of it. */
export function algorithmsOn({ mechanisms }: Token, key: PublicKey): readonly Algorithm[] {
  return algorithmsOf(key).filter(({ mechanism }) => mechanisms?.has(mechanism) ?? true);
}
