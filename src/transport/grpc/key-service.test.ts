import { status } from '@grpc/grpc-js';
import t from 'tap';
import { grpcClient, unary } from '../../../test/fixtures/grpc-client.js';
import { startGrpc } from '../../../test/fixtures/grpc-transport.js';
import { KeyServiceClient } from '../../gen/signet/v1/key_service.js';
import { type GetKeyResponse, type Key, KeyType, type ListKeysResponse } from '../../gen/signet/v1/keys.js';

t.test('keys are listed page by page and found by each of their names', async (t) => {
  const { address, signing } = await startGrpc(t);
  signing.keys = Array.from({ length: 250 }, (_, n) => key(n));
  const client = grpcClient(t, KeyServiceClient, address);
  const seen: string[] = [];
  const sizes: number[] = [];
  for (let pageToken = ''; seen.length === 0 || pageToken !== ''; ) {
    const page = await unary<ListKeysResponse>((...call) => client.listKeys({ pageSize: 0, pageToken }, ...call));
    sizes.push(page.keys.length);
    seen.push(...page.keys.map(({ label }) => label));
    pageToken = page.nextPageToken;
  }
  t.same(sizes, [100, 100, 50]);
  t.same(
    seen,
    signing.keys.map(({ label }) => label),
  );
  const get = (name: Parameters<typeof client.getKey>[0]['name']) =>
    unary<GetKeyResponse>((...call) => client.getKey({ name }, ...call));
  t.equal((await get({ $case: 'label', value: 'key-7' })).key?.label, 'key-7');
  t.equal((await get({ $case: 'id', value: Buffer.from([9]) })).key?.label, 'key-9');
  t.equal((await get({ $case: 'spkiSha256', value: key(8).spkiSha256 })).key?.label, 'key-8');
  await t.rejects(get({ $case: 'label', value: 'unknown' }), { code: status.PERMISSION_DENIED });
  await t.rejects(get(undefined), { code: status.INVALID_ARGUMENT });
  signing.keys = [key(1), { ...key(2), label: 'key-1' }];
  await t.rejects(get({ $case: 'label', value: 'key-1' }), {
    code: status.INVALID_ARGUMENT,
    details: /2 have this label/,
  });
  await t.rejects(
    unary<ListKeysResponse>((...call) => client.listKeys({ pageSize: 1, pageToken: 'x' }, ...call)),
    { code: status.INVALID_ARGUMENT },
  );
});

t.test('a page of keys with long certificates fits into what a client takes', async (t) => {
  const { address, signing } = await startGrpc(t);
  signing.keys = Array.from({ length: 60 }, (_, n) => ({
    ...key(n),
    certificateChain: [Buffer.alloc(16_384), Buffer.alloc(80_000)],
  }));
  const client = grpcClient(t, KeyServiceClient, address);
  const page = await unary<ListKeysResponse>((...call) => client.listKeys({ pageSize: 1_000, pageToken: '' }, ...call));
  t.ok(page.keys.length > 10 && page.keys.length < 30, `${page.keys.length}`);
  t.not(page.nextPageToken, '');
});

function key(n: number): Key {
  return {
    label: `key-${n}`,
    id: Buffer.from([n]),
    spkiSha256: Buffer.alloc(32, n),
    type: KeyType.KEY_TYPE_EC,
    bits: 256,
    publicKeyDer: Buffer.alloc(91),
    certificateChain: [],
    schemes: [],
  };
}
