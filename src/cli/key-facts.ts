import type { PublicKey } from '../public-key.js';
import type { TokenKey } from '../token-admin/token-keys.js';

/** A key as `--json` shows it. */
export interface KeyFacts {
  readonly label: string;
  /** CKA_ID, hexadecimal. */
  readonly id: string;
  /** p256, rsa2048, ed25519, … */
  readonly type: string;
  readonly spki_sha256: string;
}

export function keyFacts({ label, id, key }: Pick<TokenKey, 'label' | 'id' | 'key'>): KeyFacts {
  return { label, id, type: kindOf(key), spki_sha256: key.spkiSha256 };
}

/** The name of the kind as `keys generate --type` takes it. */
export function kindOf({ type, bits }: Pick<PublicKey, 'type' | 'bits'>): string {
  if (type === 'ed25519') return 'ed25519';
  return type === 'ec' ? `p${bits}` : `rsa${bits}`;
}

/** One key in one line. */
export function keyLine(facts: KeyFacts): string {
  return `${facts.label.padEnd(24)} ${facts.type.padEnd(8)} spki:${facts.spki_sha256} id:${facts.id}`;
}

/** The public key, PEM. */
export function publicPem(key: PublicKey): string {
  return key.keyObject.export({ format: 'pem', type: 'spki' }).toString();
}
