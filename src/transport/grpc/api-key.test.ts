import { type ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { TestAuthority } from '../../../test/fixtures/certificates.js';
import { grpcClient, type TlsFiles, unary } from '../../../test/fixtures/grpc-client.js';
import { folder, startGrpc } from '../../../test/fixtures/grpc-transport.js';
import { signRequest } from '../../../test/fixtures/socket-client.js';
import { until } from '../../../test/fixtures/until.js';
import { apiKeySha256, newApiKey } from '../../api-key.js';
import { KeyServiceClient } from '../../gen/signet/v1/key_service.js';
import type { SignStreamRequest, SignStreamResponse } from '../../gen/signet/v1/sign.js';
import { SigningServiceClient } from '../../gen/signet/v1/signing_service.js';

const NOBODY = '0'.repeat(64);

function bearer(value: string): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', value);
  return metadata;
}

function signWith(t: Test, address: string, metadata: Metadata, tls?: TlsFiles) {
  const client = grpcClient(t, SigningServiceClient, address, tls);
  return unary((_, ...call) => client.sign(signRequest(), metadata, ...call));
}

t.test('an API key names the caller of one call; the connection keeps its own for the others', async (t) => {
  const { address, signing } = await startGrpc(t);
  signing.hold = true;
  const key = newApiKey();
  const client = grpcClient(t, SigningServiceClient, address);
  const calls = [bearer(`Bearer ${key}`), new Metadata()].map((metadata) =>
    unary((_, ...call) => client.sign(signRequest(), metadata, ...call)),
  );
  await signing.heldAtLeast(2);
  const callers = signing.held.map(({ client }) => client.caller);
  t.match(callers[0], { kind: 'api_key', sha256: apiKeySha256(key), connection: { kind: 'unix', role: 'app' } });
  t.match(callers[1], { kind: 'unix', role: 'app' });
  for (const held of signing.held) held.answer();
  await Promise.all(calls);
});

t.test('a stream is its API key for as long as it lives, and so is a list of keys', async (t) => {
  const { address, signing } = await startGrpc(t);
  const metadata = bearer(`bearer ${newApiKey()}`);
  const client = grpcClient(t, SigningServiceClient, address);
  signing.hold = true;
  const stream: ClientDuplexStream<SignStreamRequest, SignStreamResponse> = client.signStream(metadata);
  t.teardown(() => stream.cancel());
  stream.on('error', () => undefined);
  for (const id of [1, 2]) stream.write({ id, body: { $case: 'sign', value: signRequest() } });
  await until(() => signing.held.length === 2);
  t.ok(signing.held.every((held) => held.client.caller.kind === 'api_key'));
  const keys = grpcClient(t, KeyServiceClient, address);
  await unary((_, ...call) => keys.listKeys({ pageSize: 0, pageToken: '' }, metadata, ...call));
  t.equal(signing.callers.at(-1)?.kind, 'api_key');
});

t.test('what is presented and is no key names nobody, never the caller of the connection', async (t) => {
  const { address, signing } = await startGrpc(t);
  const key = newApiKey();
  const wrong = [
    bearer(''),
    bearer('Bearer'),
    bearer(key),
    bearer(`Basic ${key}`),
    bearer(`Bearer ${key.slice(0, -1)}`),
    bearer(`Bearer ${key}A`),
    bearer(`Bearer  ${key}`),
  ];
  for (const metadata of wrong) {
    await signWith(t, address, metadata);
    t.match(signing.callers.at(-1), { kind: 'api_key', sha256: NOBODY }, JSON.stringify(metadata.getMap()));
  }
});

t.test('an API key works over TCP with mutual TLS as well, and not without a client certificate', async (t) => {
  const files = folder(t);
  const authority = await TestAuthority.create(files, 'ca');
  const own = await authority.issue('service', 'CN=service', [{ type: 'dns', value: 'localhost' }]);
  const client = await authority.issue('client', 'CN=client', [{ type: 'dns', value: 'client.example.com' }]);
  const tcp = {
    host: 'localhost',
    port: 0,
    certificate_file: own.certificateFile,
    key_file: own.keyFile,
    client_ca_file: authority.caFile,
  };
  const { transport, signing } = await startGrpc(t, { tcp: [tcp] });
  const address = transport.addresses.find((each) => each.startsWith('localhost')) ?? '';
  const metadata = bearer(`Bearer ${newApiKey()}`);
  await signWith(t, address, metadata, { caFile: authority.caFile, ...client });
  t.match(signing.callers.at(-1), { kind: 'api_key', connection: { kind: 'certificate' } });
  await t.rejects(signWith(t, address, metadata, { caFile: authority.caFile }));
});
