import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { SignetError } from '../../errors.js';
import type { KeyServiceServer } from '../../gen/signet/v1/key_service.js';
import {
  type GetKeyRequest,
  type GetKeyResponse,
  Key,
  type ListKeysRequest,
  type ListKeysResponse,
} from '../../gen/signet/v1/keys.js';
import { statusOf } from './status.js';

const PAGE_KEYS_DEFAULT = 100;
const PAGE_KEYS_MAX = 1_000;
/** A page ends at this size even if it has room for more keys: clients take 4 MiB if they are not told otherwise. */
const PAGE_BYTES_MAX = 2 * 1024 * 1024;

type KeysOf = (call: { getPeer(): string }) => readonly Key[];

/** KeyService of keys.proto; `keysOf` gives the keys of a call's caller in the order of their SPKI SHA-256. */
export function keyService(keysOf: KeysOf): KeyServiceServer {
  return {
    listKeys: answering((call: ServerUnaryCall<ListKeysRequest, ListKeysResponse>) => page(keysOf(call), call.request)),
    getKey: answering((call: ServerUnaryCall<GetKeyRequest, GetKeyResponse>) => ({
      key: find(keysOf(call), call.request),
    })),
  };
}

function answering<Request, Response>(answer: (call: ServerUnaryCall<Request, Response>) => Response) {
  return (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
    let response: Response;
    try {
      response = answer(call);
    } catch (thrown) {
      callback(statusOf(thrown));
      return;
    }
    callback(null, response);
  };
}

/** A page token is the identity of the last key of the page before. */
function page(keys: readonly Key[], request: ListKeysRequest): ListKeysResponse {
  const { pageToken } = request;
  if (pageToken !== '' && !/^[0-9a-f]{64}$/.test(pageToken)) {
    throw new SignetError(
      'invalid_argument',
      'expected next_page_token of the page before; something else came; send it as it was',
    );
  }
  const keysMax = Math.min(request.pageSize === 0 ? PAGE_KEYS_DEFAULT : request.pageSize, PAGE_KEYS_MAX);
  const after = keys.findIndex((key) => key.spkiSha256.toString('hex') > pageToken);
  const chosen: Key[] = [];
  let bytes = 0;
  for (const key of after < 0 ? [] : keys.slice(after)) {
    bytes += Key.encode(key).finish().length;
    if (chosen.length === keysMax || (chosen.length > 0 && bytes > PAGE_BYTES_MAX)) {
      return { keys: chosen, nextPageToken: chosen.at(-1)?.spkiSha256.toString('hex') ?? '' };
    }
    chosen.push(key);
  }
  return { keys: chosen, nextPageToken: '' };
}

function find(keys: readonly Key[], { name }: GetKeyRequest): Key {
  if (name === undefined) {
    throw new SignetError('invalid_argument', 'expected spki_sha256, label or id; none came; send one of them');
  }
  const found = keys.filter((key) =>
    name.$case === 'label' ? key.label === name.value : key[name.$case].equals(name.value),
  );
  if (found.length > 1) {
    throw new SignetError(
      'invalid_argument',
      `expected one key; ${found.length} have this ${name.$case}; use spki_sha256`,
    );
  }
  const [key] = found;
  if (key) return key;
  throw new SignetError(
    'permission_denied',
    'expected a key that this caller may use; an unknown or a forbidden one came',
  );
}
