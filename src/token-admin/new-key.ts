import type graphene from 'graphene-pk11';
import type { PublicKey } from '../public-key.js';
import { KeyExists } from './key-errors.js';
import { idOf } from './key-templates.js';
import { destroyQuietly, ObjectDamaged, requireKept } from './object-damaged.js';
import { publicKeyOfObject } from './object-public-key.js';
import type { Session } from './open-token.js';
import { proveKey } from './prove-key.js';
import { listKeys, type TokenKey } from './token-keys.js';

/** Throws KeyExists if the token has a key of that label: labels name keys in grants, so two of one label are a trap. */
export function requireFreeLabel(session: Session, label: string): void {
  const { keys, unusable } = listKeys(session);
  if ([...keys, ...unusable].some((key) => key.label === label)) {
    throw new KeyExists(`the token has a key "${label}" already; choose another label or delete that key first`);
  }
}

/** Throws KeyExists if the token has the very key, under whatever label. */
export function requireNewKey(session: Session, key: PublicKey): void {
  const same = listKeys(session).keys.find((other) => other.key.spkiSha256 === key.spkiSha256);
  if (same) throw new KeyExists(`the token has this key already, as "${same.label}"`);
}

/**
 * Gives both halves their CKA_ID and proves the pair. A pair that fails leaves the token again. Throws ObjectDamaged if the token did
 * not keep what it was given.
 */
export function admitKey(
  session: Session,
  privateKey: graphene.SessionObject,
  publicKeyObject: graphene.SessionObject,
  label: string,
): TokenKey {
  try {
    const key = keptPublicKey(publicKeyObject);
    const id = idOf(key.spkiSha256);
    privateKey.setAttribute({ id });
    publicKeyObject.setAttribute({ id });
    for (const object of [privateKey, publicKeyObject]) requireKept(object, { label, id });
    proveKey(session, privateKey, key);
    return { label, id: id.toString('hex'), key, privateKey, publicKeys: [publicKeyObject] };
  } catch (thrown) {
    destroyQuietly(session, privateKey);
    destroyQuietly(session, publicKeyObject);
    throw thrown;
  }
}

function keptPublicKey(object: graphene.SessionObject): PublicKey {
  try {
    return publicKeyOfObject(object);
  } catch (cause) {
    throw new ObjectDamaged(cause);
  }
}
