import { createPublicKey } from 'node:crypto';
import type { Key } from '../gen/signet/v1/keys.js';
import type { KeyName } from '../key-name.js';
import { describeKeyName } from '../key-name.js';
import type { ServedKey } from '../keys/served-key.js';
import { type PublicKey, publicKeyFromKeyObject, publicKeyFromSpki } from '../public-key.js';
import { CliError } from './cli-error.js';
import { readFile } from './files.js';

/** The one key of that name in the catalogue file that a service wrote. Throws CliError not_found. */
export async function keyInCatalogue(file: string, name: KeyName): Promise<ServedKey> {
  const found = (await keysInCatalogue(file)).filter((key) => {
    if (name.by === 'label') return key.label === name.value;
    return (name.by === 'id' ? key.id : key.spkiSha256).toString('hex') === name.value;
  });
  const [only] = found;
  if (only && found.length === 1) {
    const { label, id, publicKeyDer } = only;
    return servedKey(label, id.toString('hex'), publicKeyFromSpki(publicKeyDer));
  }
  const what = only ? `${found.length} keys` : 'no key';
  throw new CliError(
    'not_found',
    `the catalogue ${file} has ${what} ${describeKeyName(name)}; or name its public key with --spki`,
  );
}

/** All keys of the catalogue file. */
export async function keysInCatalogue(file: string): Promise<Key[]> {
  const { Catalogue } = await import('../gen/signet/v1/keys.js');
  return Catalogue.decode(readFile(file)).keys;
}

/** A key of that name whose public key is in a file: PEM (a certificate too), or a SubjectPublicKeyInfo in DER. */
export function keyInFile(file: string, name: KeyName): ServedKey {
  const key = publicKeyIn(file);
  if (name.by === 'spki' && name.value !== key.spkiSha256) {
    throw new CliError('usage', `--spki: expected the key spki:${name.value}; ${file} has spki:${key.spkiSha256}`);
  }
  return servedKey(name.by === 'label' ? name.value : '', name.by === 'id' ? name.value : '', key);
}

function publicKeyIn(file: string): PublicKey {
  const content = readFile(file);
  if (!content.includes('-----BEGIN ')) return publicKeyFromSpki(content);
  try {
    return publicKeyFromKeyObject(createPublicKey(content));
  } catch (cause) {
    throw new CliError('usage', `expected a public key or a certificate in ${file}; ${String(cause)} came`, { cause });
  }
}

function servedKey(label: string, id: string, key: PublicKey): ServedKey {
  return { key, label, id, certificateChain: [], tokens: [] };
}
