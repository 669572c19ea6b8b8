import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { Catalogue, type Key } from '../gen/signet/v1/keys.js';

/**
 * Replaces the catalogue file (keys.proto, Catalogue) in one step, so that a reader sees the old one or the new one whole.
 * Everyone may read it: it holds public keys and certificates.
 */
export function writeCatalogue(file: string, keys: readonly Key[]): void {
  const catalogue = { version: 1, writtenAtS: Math.floor(Date.now() / 1000), keys: [...keys] };
  replaceFile(file, Catalogue.encode(catalogue).finish(), 0o644);
}

/** Writes beside the file, syncs, renames over it. */
export function replaceFile(file: string, content: Uint8Array, mode: number): void {
  const aside = `${file}.${process.pid}.new`;
  const fd = openSync(aside, 'w', mode);
  try {
    writeSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(aside, file);
}
