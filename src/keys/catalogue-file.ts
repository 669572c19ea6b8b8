import { Catalogue, type Key } from '../gen/signet/v1/keys.js';
import { replaceFile } from '../replace-file.js';

/**
 * Replaces the catalogue file (keys.proto, Catalogue) in one step, so that a reader sees the old one or the new one whole.
 * Everyone may read it: it holds public keys and certificates.
 */
export function writeCatalogue(file: string, keys: readonly Key[]): void {
  const catalogue = { version: 1, writtenAtS: Math.floor(Date.now() / 1000), keys: [...keys] };
  replaceFile(file, Catalogue.encode(catalogue).finish(), 0o644);
}
