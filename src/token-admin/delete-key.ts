import graphene from 'graphene-pk11';
import type { Session } from './open-token.js';
import { findObjects, isOfKey, type TokenKey } from './token-keys.js';

/** Destroys the private key, its public key objects and its certificates. Gives the number of objects gone. */
export function deleteKey(session: Session, key: TokenKey): number {
  const sameId = { id: Buffer.from(key.id, 'hex') };
  const found = findObjects(session, graphene.ObjectClass.CERTIFICATE, sameId);
  const certificates = found.filter((object) => isOfKey(object, key.key));
  // The private key last: were the first step to fail, the key would still be whole enough to be named again.
  const objects = [...certificates, ...key.publicKeys, key.privateKey];
  for (const object of objects) session.destroy(object);
  return objects.length;
}
