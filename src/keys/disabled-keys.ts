import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignetError } from '../errors.js';
import { replaceFile } from '../replace-file.js';

/** The keys that an administrator took out of use; kept in a file of the state folder, so that they stay so across restarts. */
export class DisabledKeys {
  readonly #file: string;
  readonly #hashes: Set<string>;

  /** Throws SignetError invalid_argument if the file is there and is not one of these: guessing would put keys back into use. */
  constructor(stateDir: string) {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    this.#file = join(stateDir, 'disabled-keys.json');
    this.#hashes = new Set(read(this.#file));
  }

  has(spkiSha256: string): boolean {
    return this.#hashes.has(spkiSha256);
  }

  /** On disk before it returns. */
  set(spkiSha256: string, disabled: boolean): void {
    const next = new Set(this.#hashes);
    if (disabled) next.add(spkiSha256);
    else next.delete(spkiSha256);
    replaceFile(this.#file, Buffer.from(`${JSON.stringify([...next].sort(), null, 2)}\n`), 0o600);
    if (disabled) this.#hashes.add(spkiSha256);
    else this.#hashes.delete(spkiSha256);
  }
}

function read(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
  const hashes: unknown = parse(text);
  if (Array.isArray(hashes) && hashes.every((hash) => typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash)))
    return hashes;
  throw new SignetError(
    'invalid_argument',
    `expected ${file} to hold a JSON list of SPKI SHA-256 in hexadecimal; restore it or remove it`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
