import graphene from 'graphene-pk11';
import type { Session } from './open-token.js';
import { findObjects, type TokenKey } from './token-keys.js';

/** Destroys the private key, its public key objects and the certificates of its CKA_ID. Gives the number of objects gone. */
export function deleteKey(session: Session, key: TokenKey): number {
  const certificates =
    key.id === '' ? [] : findObjects(session, graphene.ObjectClass.CERTIFICATE, { id: Buffer.from(key.id, 'hex') });
  // The private key last: were the first step to fail, the key would still be whole enough to be named again.
  const objects = [...certificates, ...key.publicKeys, key.privateKey];
  for (const object of objects) session.destroy(object);
  return objects.length;
}
