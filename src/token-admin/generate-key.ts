import { KEY_RECIPES, type KeyKind } from './key-kinds.js';
import { PRIVATE_KEY_TEMPLATE, PUBLIC_KEY_TEMPLATE } from './key-templates.js';
import { admitKey, requireFreeLabel } from './new-key.js';
import { untilWhole } from './object-damaged.js';
import type { Session } from './open-token.js';
import type { TokenKey } from './token-keys.js';

/** A new key pair inside the token. Throws KeyExists, or what PKCS#11 throws. */
export function generateKey(session: Session, kind: KeyKind, label: string): TokenKey {
  requireFreeLabel(session, label);
  const { mechanism, publicTemplate } = KEY_RECIPES[kind];
  return untilWhole(() => {
    const { publicKey, privateKey } = session.generateKeyPair(
      { name: mechanism, params: null },
      { ...PUBLIC_KEY_TEMPLATE, ...publicTemplate, label },
      { ...PRIVATE_KEY_TEMPLATE, label },
    );
    return admitKey(session, privateKey, publicKey, label);
  });
}
