import type { Logger } from 'pino';
import { algorithmsOf } from '../algorithms.js';
import { type Key, KeyType } from '../gen/signet/v1/keys.js';
import { writeCatalogue } from './catalogue-file.js';
import type { DisabledKeys } from './disabled-keys.js';
import type { ServedKey } from './served-key.js';

/** A key of the ring, with what every request needs of it worked out once. */
export interface RingKey extends ServedKey {
  /** The names of its tokens, joined by ",". */
  readonly home: string;
  /** Keys of one class cost about the same token time. */
  readonly costClass: string;
  /** Its public face on the wire. */
  readonly message: Key;
}

/** The keys that the tokens hold and what administrators said of them; keeps the catalogue file up to date. */
export class KeyRing {
  readonly #catalogueFile: string;
  readonly #disabled: DisabledKeys;
  readonly #log: Logger;
  #keys: ReadonlyMap<string, RingKey> = new Map();

  constructor(catalogueFile: string, disabled: DisabledKeys, log: Logger) {
    this.#catalogueFile = catalogueFile;
    this.#disabled = disabled;
    this.#log = log;
  }

  /** A key in use, or undefined if no token holds it or an administrator took it out of use. */
  find(spkiSha256: string): RingKey | undefined {
    const key = this.#keys.get(spkiSha256);
    return key && !this.#disabled.has(spkiSha256) ? key : undefined;
  }

  /** All keys in use, by ascending SPKI SHA-256. */
  inUse(): readonly RingKey[] {
    return [...this.#keys.values()].filter((key) => !this.#disabled.has(key.key.spkiSha256));
  }

  /** All keys, also those out of use, by ascending SPKI SHA-256. */
  all(): readonly RingKey[] {
    return [...this.#keys.values()];
  }

  isDisabled(spkiSha256: string): boolean {
    return this.#disabled.has(spkiSha256);
  }

  /** False if the ring has no such key. Lasts across restarts. */
  setDisabled(spkiSha256: string, disabled: boolean): boolean {
    if (!this.#keys.has(spkiSha256)) return false;
    this.#disabled.set(spkiSha256, disabled);
    this.#log.warn({ key: spkiSha256, disabled }, disabled ? 'key taken out of use' : 'key put back into use');
    return true;
  }

  /** Takes what the tokens hold now and writes the catalogue. A catalogue that cannot be written is logged: signing goes on. */
  replace(found: readonly ServedKey[]): void {
    const sorted = found.map(ringKey).sort((a, b) => (a.key.spkiSha256 < b.key.spkiSha256 ? -1 : 1));
    this.#keys = new Map(sorted.map((key) => [key.key.spkiSha256, key]));
    this.#log.info(
      { keys: sorted.map(({ label, key }) => ({ label, spkiSha256: key.spkiSha256, type: key.type, bits: key.bits })) },
      'keys found',
    );
    try {
      writeCatalogue(
        this.#catalogueFile,
        sorted.map((key) => key.message),
      );
    } catch (err) {
      this.#log.error(
        { err, file: this.#catalogueFile },
        'the catalogue file cannot be written; faces that name keys by label keep the old one',
      );
    }
  }
}

const KEY_TYPES = { rsa: KeyType.KEY_TYPE_RSA, ec: KeyType.KEY_TYPE_EC, ed25519: KeyType.KEY_TYPE_ED25519 } as const;

function ringKey(served: ServedKey): RingKey {
  const home = served.tokens.join(',');
  return { ...served, home, costClass: `${served.key.type}-${served.key.bits}@${home}`, message: messageOf(served) };
}

function messageOf({ key, label, id, certificateChain }: ServedKey): Key {
  return {
    label,
    id: Buffer.from(id, 'hex'),
    spkiSha256: Buffer.from(key.spkiSha256, 'hex'),
    type: KEY_TYPES[key.type],
    bits: key.bits,
    publicKeyDer: key.spki,
    certificateChain: certificateChain.map((certificate) => Buffer.from(certificate)),
    schemes: algorithmsOf(key).map((algorithm) => algorithm.scheme),
  };
}
