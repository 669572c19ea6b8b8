import type { KeyStatus } from '../gen/signet/v1/admin.js';
import type { AdminServiceClient } from '../gen/signet/v1/admin_service.js';
import type { KeyServiceClient } from '../gen/signet/v1/key_service.js';
import type { GetKeyRequest, Key } from '../gen/signet/v1/keys.js';
import { describeKeyName, type KeyName } from '../key-name.js';
import { type PublicKey, publicKeyFromSpki } from '../public-key.js';
import { CliError } from './cli-error.js';
import { ask } from './service.js';

/** A key as the service shows it. */
export interface ServiceKey {
  readonly label: string;
  readonly id: string;
  readonly key: PublicKey;
}

export function serviceKeyOf(key: Key): ServiceKey {
  return { label: key.label, id: key.id.toString('hex'), key: publicKeyFromSpki(key.publicKeyDer) };
}

/** The key that KeyService has under the name. Throws CliError refused: unknown, ambiguous, or not granted. */
export async function getServiceKey(keys: KeyServiceClient, name: KeyName): Promise<ServiceKey> {
  const { key } = await ask(keys, keys.getKey, requestOf(name));
  if (key) return serviceKeyOf(key);
  throw new CliError('failed', 'the service answered without a key');
}

/** All keys that the caller may use. */
export async function listServiceKeys(keys: KeyServiceClient): Promise<ServiceKey[]> {
  const all: ServiceKey[] = [];
  let pageToken = '';
  do {
    const page = await ask(keys, keys.listKeys, { pageSize: PAGE_KEYS, pageToken });
    all.push(...page.keys.map(serviceKeyOf));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return all;
}

const PAGE_KEYS = 1_000;

/** The one key of that name, as an administrator sees it: also one that is disabled. Throws CliError not_found. */
export async function findKeyStatus(admin: AdminServiceClient, name: KeyName): Promise<KeyStatus & { key: Key }> {
  const { keys } = await ask(admin, admin.getStatus, {});
  const found = keys.filter((status): status is KeyStatus & { key: Key } => isNamed(status.key, name));
  const [only] = found;
  if (only && found.length === 1) return only;
  const what = only ? `${found.length} keys` : 'no key';
  throw new CliError('not_found', `the service has ${what} ${describeKeyName(name)}; \`signet status\` shows its keys`);
}

function requestOf({ by, value }: KeyName): GetKeyRequest {
  if (by === 'label') return { name: { $case: 'label', value } };
  const bytes = Buffer.from(value, 'hex');
  return { name: by === 'id' ? { $case: 'id', value: bytes } : { $case: 'spkiSha256', value: bytes } };
}

function isNamed(key: Key | undefined, { by, value }: KeyName): boolean {
  if (!key) return false;
  if (by === 'label') return key.label === value;
  return (by === 'id' ? key.id : key.spkiSha256).toString('hex') === value;
}
