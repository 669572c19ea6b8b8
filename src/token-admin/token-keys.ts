import graphene from 'graphene-pk11';
import { SignetError } from '../errors.js';
import { describeKeyName, type KeyName } from '../key-name.js';
import type { PublicKey } from '../public-key.js';
import { KeyNotFound } from './key-errors.js';
import { publicKeyOfObject } from './object-public-key.js';
import type { Session } from './open-token.js';

/** A key pair on the token: the private key's handle and what is public of it. */
export interface TokenKey {
  readonly label: string;
  /** CKA_ID, lowercase hexadecimal. */
  readonly id: string;
  readonly key: PublicKey;
  readonly privateKey: graphene.SessionObject;
  /** The public key objects that hold `key`. */
  readonly publicKeys: readonly graphene.SessionObject[];
}

/** A private key that Signet can not use, and why. */
export interface UnusableKey {
  readonly label: string;
  readonly id: string;
  readonly reason: string;
}

export interface TokenKeys {
  readonly keys: readonly TokenKey[];
  readonly unusable: readonly UnusableKey[];
}

/** All private keys of the token, by label. */
export function listKeys(session: Session): TokenKeys {
  const keys: TokenKey[] = [];
  const unusable: UnusableKey[] = [];
  for (const privateKey of findObjects(session, graphene.ObjectClass.PRIVATE_KEY)) {
    const label = labelOf(privateKey);
    const id = idHexOf(privateKey);
    try {
      keys.push(describePrivateKey(session, privateKey, label, id));
    } catch (thrown) {
      if (!(thrown instanceof SignetError)) throw thrown;
      unusable.push({ label, id, reason: thrown.message });
    }
  }
  keys.sort((a, b) => a.label.localeCompare(b.label) || a.key.spkiSha256.localeCompare(b.key.spkiSha256));
  return { keys, unusable };
}

/** The one key of that name. Throws KeyNotFound, also for a name that several keys have. */
export function findKey(session: Session, name: KeyName): TokenKey {
  const { keys, unusable } = listKeys(session);
  const found = keys.filter((key) => isNamed(key, name));
  const [only] = found;
  if (only && found.length === 1) return only;
  if (only) {
    const spkis = found.map((key) => `spki:${key.key.spkiSha256}`).join(', ');
    throw new KeyNotFound(`${found.length} keys on the token are named ${describeKeyName(name)}; say which: ${spkis}`);
  }
  const broken = unusable.find((key) => (name.by === 'label' ? key.label : key.id) === name.value);
  if (broken) throw new KeyNotFound(`the key ${describeKeyName(name)} can not be used: ${broken.reason}`);
  throw new KeyNotFound(`the token has no key ${describeKeyName(name)}; \`signet keys list\` shows those that it has`);
}

/** The objects of a class, with any other attributes given. */
export function findObjects(
  session: Session,
  objectClass: graphene.ObjectClass,
  attributes: graphene.ITemplate = {},
): graphene.SessionObject[] {
  const found = session.find({ ...attributes, class: objectClass });
  return Array.from({ length: found.length }, (_, i) => found.items(i));
}

export function labelOf(object: graphene.SessionObject): string {
  return String(object.getAttribute('label') ?? '');
}

export function idHexOf(object: graphene.SessionObject): string {
  return (object.getAttribute('id') as Buffer).toString('hex');
}

function isNamed(key: TokenKey, name: KeyName): boolean {
  switch (name.by) {
    case 'label':
      return key.label === name.value;
    case 'id':
      return key.id === name.value;
    case 'spki':
      return key.key.spkiSha256 === name.value;
  }
}

/** The public half comes from its own object, or a certificate; both carry the private key's CKA_ID by PKCS#11's convention. */
function describePrivateKey(session: Session, privateKey: graphene.SessionObject, label: string, id: string): TokenKey {
  const sameId = { id: Buffer.from(id, 'hex') };
  const candidates = findObjects(session, graphene.ObjectClass.PUBLIC_KEY, sameId);
  const certificates = findObjects(session, graphene.ObjectClass.CERTIFICATE, sameId);
  const named = candidates.find((object) => labelOf(object) === label);
  const key = publicKeyOfObject(named ?? candidates[0] ?? certificates[0] ?? privateKey);
  // An id is no proof: keys of other programs often have none, or the same.
  return { label, id, key, privateKey, publicKeys: candidates.filter((object) => isOfKey(object, key)) };
}

/** Whether a public key object or a certificate holds this key. */
export function isOfKey(object: graphene.SessionObject, key: PublicKey): boolean {
  try {
    return publicKeyOfObject(object).spkiSha256 === key.spkiSha256;
  } catch {
    return false;
  }
}
