import pkcs11js from 'pkcs11js';
import type { Algorithm } from '../algorithms.js';
import { SignetError } from '../errors.js';
import type { PublicKey } from '../public-key.js';
import { chainOf, findCertificates, publicKeyIn, type TokenCertificate } from './certificates.js';
import { CKR_GENERAL_ERROR, ckrCodeOf, ckrOf, describe } from './ckr.js';
import { algorithmsOn } from './mechanisms.js';
import { provesKey } from './prove-key.js';
import { readPublicKeys } from './public-key-files.js';
import { publicKeyOf } from './public-key-of.js';
import { attributeOf, findObjects, numberOf, type Token } from './token.js';

/** A private key that the session can sign with, and its public face. */
export interface TokenKey {
  readonly handle: pkcs11js.Handle;
  readonly key: PublicKey;
  /** What fits the key and the token can make. */
  readonly algorithms: ReadonlySet<Algorithm>;
  readonly label: string;
  /** CKA_ID, lowercase hexadecimal. */
  readonly id: string;
  readonly certificateChain: readonly Buffer[];
}

/** What a look at a token brought. */
export interface FoundKeys {
  readonly keys: readonly TokenKey[];
  /** Sentences: what was passed over, and why. */
  readonly warnings: readonly string[];
  /** Whether something was passed over because the token failed, so that another look may find more. */
  readonly isPartial: boolean;
}

/**
 * Finds the private keys with CKA_SIGN whose public keys can be known, from the token or else from the files. What cannot be used
 * is passed over with a warning.
 */
export function findKeys(token: Token, publicKeyFiles: readonly string[] = []): FoundKeys {
  const warnings: string[] = [];
  let isPartial = false;
  const warn = (sentence: string, error?: unknown) => {
    warnings.push(sentence);
    isPartial ||= error !== undefined && isPassing(error);
  };
  const certificates = findCertificates(token, warn);
  const publics = describeAll(token, [{ type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PUBLIC_KEY }]);
  const privates = describeAll(token, [
    { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PRIVATE_KEY },
    { type: pkcs11js.CKA_SIGN, value: true },
  ]);
  const all = {
    privates: groupsOf(privates, twinsOf),
    publics: groupsOf(publics, twinsOf),
    certificates: groupsOf(certificates, ({ id }) => id),
    configured: readPublicKeys(publicKeyFiles, warn),
  };
  const keys = new Map<string, TokenKey>();
  for (const object of privates) {
    const sources = publicKeySources(token, object, all);
    const usable = usablePublicKey(token, object, sources, warn);
    if (!usable || keys.has(usable.key.spkiSha256)) continue;
    const { key, algorithms } = usable;
    const { handle, label, id } = object;
    keys.set(key.spkiSha256, {
      handle,
      key,
      algorithms: new Set(algorithms),
      label,
      id,
      certificateChain: chainOf(key, id, certificates),
    });
  }
  return { keys: [...keys.values()], warnings, isPartial };
}

/** Grouped once, since a token may have ten thousand keys. */
interface ObjectsOfToken {
  readonly privates: Groups<KeyObjectOfToken>;
  readonly publics: Groups<KeyObjectOfToken>;
  readonly certificates: Groups<TokenCertificate>;
  readonly configured: readonly PublicKey[];
}

type Groups<T> = ReadonlyMap<string, readonly T[]>;

function groupsOf<T>(all: readonly T[], nameOf: (each: T) => string): Groups<T> {
  const groups = new Map<string, T[]>();
  for (const each of all) {
    const group = groups.get(nameOf(each));
    if (group) group.push(each);
    else groups.set(nameOf(each), [each]);
  }
  return groups;
}

/** The halves of a pair have the same. */
function twinsOf({ type, id }: KeyObjectOfToken): string {
  return `${type} ${id}`;
}

interface KeyObjectOfToken {
  readonly handle: pkcs11js.Handle;
  readonly id: string;
  readonly label: string;
  /** CKA_KEY_TYPE. */
  readonly type: number | undefined;
}

function describeAll(token: Token, template: pkcs11js.Template): KeyObjectOfToken[] {
  return findObjects(token, template).map((handle) => ({
    handle,
    id: attributeOf(token, handle, pkcs11js.CKA_ID)?.toString('hex') ?? '',
    label: attributeOf(token, handle, pkcs11js.CKA_LABEL)?.toString('utf8') ?? '',
    type: numberOf(attributeOf(token, handle, pkcs11js.CKA_KEY_TYPE)),
  }));
}

/** A way to the public key; what is not `certain` must be proven by a signature. */
interface PublicKeySource {
  readonly certain: boolean;
  read(): PublicKey;
}

/**
 * Public key objects with the same CKA_ID, then certificates with it, then the RSA private key itself, then the configured files. A public key object is
 * certain only if the id is one pair's alone: two keys that share an id would otherwise stand for each other.
 */
function publicKeySources(token: Token, object: KeyObjectOfToken, all: ObjectsOfToken): PublicKeySource[] {
  const publics = all.publics.get(twinsOf(object)) ?? [];
  const certain = object.id !== '' && publics.length === 1 && all.privates.get(twinsOf(object))?.length === 1;
  const sources = publics.flatMap(({ handle }) => [
    { certain, read: () => publicKeyOf(token, handle) },
    ...(object.type === pkcs11js.CKK_EC ? [{ certain: false, read: () => publicKeyOf(token, handle, true) }] : []),
  ]);
  for (const certificate of all.certificates.get(object.id) ?? []) {
    sources.push({ certain: false, read: () => publicKeyIn(certificate) });
  }
  if (object.type === pkcs11js.CKK_RSA) sources.push({ certain: false, read: () => publicKeyOf(token, object.handle) });
  for (const key of all.configured.filter(({ type }) => CKK[type] === object.type)) {
    sources.push({ certain: false, read: () => key });
  }
  return sources;
}

/** The first public key that can be read and, where it must be, proven; and what the token can make with it. */
function usablePublicKey(
  token: Token,
  object: KeyObjectOfToken,
  sources: readonly PublicKeySource[],
  warn: (sentence: string, error?: unknown) => void,
): { readonly key: PublicKey; readonly algorithms: readonly Algorithm[] } | undefined {
  const reasons: string[] = [];
  let failure: unknown;
  for (const { certain, read } of sources) {
    try {
      const key = read();
      const algorithms = algorithmsOn(token, key);
      if (algorithms.length === 0) throw new Error('the token lists no mechanism that signs with it');
      if (certain || proves(token, object, key)) return { key, algorithms };
      reasons.push('its signature does not verify with a public key that may be its own');
    } catch (error) {
      if (isFatal(error)) throw error;
      if (isPassing(error)) failure = error;
      reasons.push(error instanceof SignetError ? error.message : describe(error));
    }
  }
  if (sources.length === 0)
    reasons.push(
      'the token has no public key object and no certificate with its id, and no file of public_key_files is of its type',
    );
  warn(`private key "${object.label}" (id ${object.id}) is not used: ${[...new Set(reasons)].join('; ')}`, failure);
  return undefined;
}

function proves(token: Token, { handle, type }: KeyObjectOfToken, key: PublicKey): boolean {
  // A certificate of another type must not come so far.
  return type === CKK[key.type] && provesKey(token, handle, key);
}

/** PublicKey's type to CKA_KEY_TYPE. */
const CKK: Readonly<Record<PublicKey['type'], number>> = { rsa: pkcs11js.CKK_RSA, ec: pkcs11js.CKK_EC, ed25519: 0x40 };

/** Whether the session is what failed, not the object: all must be looked for again. */
function isFatal(error: unknown): boolean {
  const code = ckrCodeOf(error);
  if (code === undefined) return false;
  const { fault, retires } = ckrOf(code);
  // Some modules say CKR_GENERAL_ERROR to a single object that is damaged or of a kind that they do not know.
  return code !== CKR_GENERAL_ERROR && fault !== 'key' && retires !== 'nothing';
}

/** Whether another look may find what this one did not. */
function isPassing(error: unknown): boolean {
  const code = ckrCodeOf(error);
  return code !== undefined && ckrOf(code).retry;
}
