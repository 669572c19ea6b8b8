import { readFileSync } from 'node:fs';
import { Metadata } from '@grpc/grpc-js';
import t from 'tap';
import { KeyServiceClient } from '../src/gen/signet/v1/key_service.js';
import type { ListKeysResponse } from '../src/gen/signet/v1/keys.js';
import { SignatureScheme, type SignResponse } from '../src/gen/signet/v1/sign.js';
import { SigningServiceClient } from '../src/gen/signet/v1/signing_service.js';
import { signet } from './fixtures/command-line.js';
import { grpcClient, unary } from './fixtures/grpc-client.js';
import { startService } from './fixtures/running-service.js';
import { createToken } from './fixtures/softhsm-token.js';
import { tls13 } from './tls-messages.js';

t.test('a client with an API key has what its principal is granted, and the key is written nowhere', async (t) => {
  const token = createToken({ keys: [{ label: 'www', type: 'p256' }] });
  t.teardown(() => token.remove());
  const added = (await signet(['clients', 'add', 'reports', '--json'])).json();
  const service = await startService(t, token, {
    principals: [{ name: 'local', socket: { role: 'local' } }, added.principal],
    grants: [{ principal: 'reports', keys: ['label:www'], uses: ['tls13-server'] }],
  });
  const presenting = (key: string) => {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${key}`);
    return metadata;
  };
  const keys = grpcClient(t, KeyServiceClient, service.grpcAddress);
  const list = (metadata: Metadata) =>
    unary<ListKeysResponse>((_, ...call) => keys.listKeys({ pageSize: 0, pageToken: '' }, metadata, ...call));
  const { keys: mine } = await list(presenting(added.api_key));
  t.same(
    mine.map(({ label }) => label),
    ['www'],
  );
  t.same((await list(new Metadata())).keys, [], 'the connection itself has no grant');
  const client = grpcClient(t, SigningServiceClient, service.grpcAddress);
  const request = {
    spkiSha256: mine[0]?.spkiSha256 ?? Buffer.alloc(0),
    scheme: SignatureScheme.SIGNATURE_SCHEME_ECDSA_SECP256R1_SHA256,
    input: { $case: 'message' as const, value: tls13('server') },
    timeoutUs: 0,
    attemptId: Buffer.alloc(0),
  };
  const sign = (metadata: Metadata) =>
    unary<SignResponse>((_, ...call) => client.sign(request, metadata, ...call), 10_000);
  t.ok((await sign(presenting(added.api_key))).signature.length > 60);
  const other = (await signet(['clients', 'add', 'other', '--json'])).json().api_key;
  await t.rejects(sign(presenting(other)), /no key of this SPKI SHA-256/);
  await t.rejects(sign(new Metadata()), /no key of this SPKI SHA-256/);
  t.same(
    service.attempts().map(({ principal, outcome }) => [principal, outcome]),
    [
      ['reports', 'ok'],
      ['', 'permission_denied'],
      ['local', 'permission_denied'],
    ],
  );
  const written = JSON.stringify(service.log) + readFileSync(service.auditFile, 'utf8');
  for (const key of [added.api_key, other]) t.notOk(written.includes(key.slice('signet_'.length)), 'log and audit');
});
