import { randomBytes, verify } from 'node:crypto';
import type graphene from 'graphene-pk11';
import { SignetError } from '../errors.js';
import type { PublicKey } from '../public-key.js';
import type { Session } from './open-token.js';
import { certificateHash, signForCertificate } from './sign.js';

/**
 * One verified signature proves that private and public half belong together; the attributes prove that the key stays in the token.
 * Throws SignetError token_failed.
 */
export function proveKey(session: Session, privateKey: graphene.SessionObject, key: PublicKey): void {
  const message = randomBytes(32);
  const signature = signForCertificate(session, privateKey, key, message);
  const verified = verify(certificateHash(key), message, { key: key.keyObject, dsaEncoding: 'ieee-p1363' }, signature);
  if (!verified) throw new SignetError('token_failed', 'the new key made a signature that does not verify');
  const { sensitive, extractable } = privateKey.getAttribute({ sensitive: null, extractable: null });
  if (sensitive !== true || extractable !== false) {
    throw new SignetError('token_failed', 'the token did not make the new key sensitive and not extractable');
  }
}
