import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { SignetError } from '../../errors.js';
import type { KeyServiceServer } from '../../gen/signet/v1/key_service.js';
import type {
  GetKeyRequest,
  GetKeyResponse,
  Key,
  ListKeysRequest,
  ListKeysResponse,
} from '../../gen/signet/v1/keys.js';
import type { ByteBudget } from '../byte-budget.js';
import type { Call } from './grpc-server.js';
import { statusOf } from './status.js';

const PAGE_KEYS_DEFAULT = 100;
const PAGE_KEYS_MAX = 1_000;
/** A page ends at this size even if it has room for more keys: clients take 4 MiB if they are not told otherwise. */
const PAGE_BYTES_MAX = 2 * 1024 * 1024;
/** A key without its certificates, in bytes; RSA-4096 with a label. */
const KEY_BYTES = 1_024;

type KeysOf = (call: Call) => readonly Key[];

/**
 * KeyService of keys.proto; `keysOf` gives the keys of a call's caller in the order of their SPKI SHA-256. Pages that their callers
 * have not read are paid from the budget.
 */
export function keyService(keysOf: KeysOf, budget: ByteBudget): KeyServiceServer {
  return {
    listKeys: answering((call: ServerUnaryCall<ListKeysRequest, ListKeysResponse>) => {
      const { response, bytes } = page(keysOf(call), call.request);
      pay(call, bytes, budget);
      return response;
    }),
    getKey: answering((call: ServerUnaryCall<GetKeyRequest, GetKeyResponse>) => {
      const key = find(keysOf(call), call.request);
      pay(call, keyBytes(key), budget);
      return { key };
    }),
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

/** Takes the memory of an answer until the caller has read it or has gone: `cancelled` comes at the end of every call. */
function pay(call: ServerUnaryCall<unknown, unknown>, bytes: number, budget: ByteBudget): void {
  if (!budget.take(bytes)) {
    throw new SignetError('resource_exhausted', 'the service has no memory left for answers; try again later');
  }
  call.once('cancelled', () => budget.give(bytes));
}

/** A page token is the identity of the last key of the page before. */
function page(keys: readonly Key[], request: ListKeysRequest): { response: ListKeysResponse; bytes: number } {
  const { pageToken } = request;
  if (pageToken !== '' && !/^[0-9a-f]{64}$/.test(pageToken)) {
    throw new SignetError(
      'invalid_argument',
      'expected next_page_token of the page before; something else came; send it as it was',
    );
  }
  const keysMax = Math.min(request.pageSize === 0 ? PAGE_KEYS_DEFAULT : request.pageSize, PAGE_KEYS_MAX);
  const first = keys.findIndex((key) => key.spkiSha256.toString('hex') > pageToken);
  const left = first < 0 ? [] : keys.slice(first);
  let bytes = 0;
  let count = 0;
  for (const key of left.slice(0, keysMax)) {
    if (count > 0 && bytes + keyBytes(key) > PAGE_BYTES_MAX) break;
    bytes += keyBytes(key);
    count++;
  }
  const last = count < left.length ? left[count - 1] : undefined;
  return {
    response: { keys: left.slice(0, count), nextPageToken: last?.spkiSha256.toString('hex') ?? '' },
    bytes,
  };
}

/** Nearly what a key takes on the wire; what has no certificate is small. */
function keyBytes(key: Key): number {
  return key.certificateChain.reduce((bytes, certificate) => bytes + certificate.length, KEY_BYTES);
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
