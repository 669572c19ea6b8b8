import type { ServedKey } from '../keys/served-key.js';
import { type PublicKey, publicKeyFromSpki } from '../public-key.js';
import type { SignerKey } from './messages.js';

/** A key as one token has it. */
export interface TokenKey {
  readonly key: PublicKey;
  readonly label: string;
  readonly id: string;
  readonly certificateChain: readonly Uint8Array[];
}

/** The keys that a token's signers reported. */
export interface TokenKeys {
  readonly bySpki: ReadonlyMap<string, TokenKey>;
  /** Whether a report says the same, so that it need not be parsed again: every signer of a token sends one. */
  isOf(report: readonly SignerKey[]): boolean;
}

/** Throws SignetError for a key that is none; the signer that sends such is broken. */
export function tokenKeysOf(report: readonly SignerKey[]): TokenKeys {
  const written = JSON.stringify(report);
  const keys = report.map(({ spki, label, id, certificateChain }) => ({
    key: publicKeyFromSpki(Buffer.from(spki, 'base64')),
    label,
    id,
    certificateChain: certificateChain.map((certificate) => Buffer.from(certificate, 'base64')),
  }));
  return {
    bySpki: new Map(keys.map((key) => [key.key.spkiSha256, key])),
    isOf: (other) => JSON.stringify(other) === written,
  };
}

/** The keys of all tokens, by ascending SPKI SHA-256. Names and certificates come from the first token that has them. */
export function mergeKeys(tokens: readonly { name: string; keys: TokenKeys }[]): ServedKey[] {
  const merged = new Map<string, ServedKey>();
  for (const { name, keys } of tokens) {
    for (const [spkiSha256, key] of keys.bySpki) {
      const known = merged.get(spkiSha256);
      merged.set(spkiSha256, known ? alsoOn(known, name, key) : { ...key, tokens: [name] });
    }
  }
  return [...merged.values()].sort((a, b) => (a.key.spkiSha256 < b.key.spkiSha256 ? -1 : 1));
}

function alsoOn(known: ServedKey, token: string, { certificateChain }: TokenKey): ServedKey {
  const chain = known.certificateChain.length > 0 ? known.certificateChain : certificateChain;
  return { ...known, certificateChain: chain, tokens: [...known.tokens, token] };
}
