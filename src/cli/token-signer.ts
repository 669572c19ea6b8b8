import type { Session } from '../token-admin/open-token.js';
import { signForCertificate } from '../token-admin/sign.js';
import type { TokenKey } from '../token-admin/token-keys.js';
import type { CertificateSigner } from '../x509/token-crypto.js';

/** A key on the token that signs certificates and requests while the session is open. */
export function tokenSigner(session: Session, { key, privateKey }: TokenKey): CertificateSigner {
  return { key, sign: (tbs) => signForCertificate(session, privateKey, key, tbs) };
}
