import { constants, createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type Algorithm, algorithmNamed, algorithmsOf } from '../src/algorithms.js';
import { KeyServiceClient } from '../src/gen/signet/v1/key_service.js';
import type { Key } from '../src/gen/signet/v1/keys.js';
import type { SignRequest, SignStreamResponse } from '../src/gen/signet/v1/sign.js';
import { SigningServiceClient } from '../src/gen/signet/v1/signing_service.js';
import { publicKeyFromSpki } from '../src/public-key.js';
import { grpcClient, unary } from './fixtures/grpc-client.js';
import { startService } from './fixtures/running-service.js';
import { SocketClient } from './fixtures/socket-client.js';
import { createToken } from './fixtures/softhsm-token.js';

const KINDS = ['p256', 'p384', 'p521', 'rsa2048', 'rsa3072', 'ed25519'] as const;

/** CertificateVerify of a TLS 1.3 server (RFC 8446 section 4.4.3). */
const MESSAGE = Buffer.concat([
  Buffer.from(`${' '.repeat(64)}TLS 1.3, server CertificateVerify\0`),
  createHash('sha256').update('transcript').digest(),
]);

type Sign = (request: SignRequest) => Promise<Buffer>;

t.test('a service on a token with keys of every kind', async (t) => {
  const token = createToken({ keys: KINDS.map((type) => ({ label: type, type })) });
  t.teardown(() => token.remove());
  const service = await startService(t, token);
  const keys = await listKeys(t, service.grpcAddress);
  t.same(keys.map((key) => key.label).sort(), [...KINDS].sort());

  const carriers: Record<string, Sign> = {
    'gRPC unary': unarySigner(t, service.grpcAddress),
    'gRPC stream': streamSigner(t, service.grpcAddress),
    'socket transport': await socketSigner(t, service.webSocket),
  };
  for (const [carrier, sign] of Object.entries(carriers)) {
    t.test(`${carrier}: every scheme signs a message and a digest, and OpenSSL verifies both`, async (t) => {
      for (const { key, algorithm } of pairs(keys)) {
        const signature = await sign(requestOf(key, algorithm, MESSAGE, 'message'));
        t.ok(verifies(key, algorithm, signature), `${key.label} ${algorithm.name} message`);
        if (algorithm.hash === undefined) continue;
        const digest = createHash(algorithm.hash).update(MESSAGE).digest();
        t.ok(
          verifies(key, algorithm, await sign(requestOf(key, algorithm, digest, 'digest'))),
          `${algorithm.name} digest`,
        );
      }
    });
    t.test(`${carrier}: a scheme that does not fit its key is refused before the token`, async (t) => {
      const before = service.attempts().length;
      for (const key of keys) {
        for (const name of ['ecdsa_secp256r1_sha256', 'ecdsa_secp521r1_sha512', 'rsa_pss_rsae_sha256', 'ed25519']) {
          const algorithm = algorithmNamed(name) as Algorithm;
          if (key.schemes.includes(algorithm.scheme)) continue;
          await t.rejects(
            sign(requestOf(key, algorithm, MESSAGE, 'message')),
            /does not fit the key/,
            `${key.label} ${name}`,
          );
        }
      }
      const refused = service.attempts().slice(before);
      t.ok(refused.length >= 12 && refused.every((line) => line.outcome === 'invalid_argument' && line.token_us === 0));
    });
  }

  t.test('every attempt stands in the audit file', async (t) => {
    const attempts = service.attempts();
    const made = attempts.filter((line) => line.outcome === 'ok');
    t.equal(made.length, 3 * pairs(keys).reduce((sum, { algorithm }) => sum + (algorithm.hash ? 2 : 1), 0));
    t.ok(made.every((line) => line.principal === 'web' || line.principal === 'local'));
    t.match(made[0], { use: 'tls13-server', key: /^[0-9a-f]{64}$/, token_us: Number, queue_us: Number });
  });

  t.test('SIGTERM drains: the process ends with 0 and leaves no signer', async (t) => {
    const children = childrenOf(service.pid);
    t.ok(children.length > 0);
    service.kill('SIGTERM');
    t.equal(await service.exit(), 0);
    t.ok(await service.logged('ended'));
    t.same(
      children.filter((pid) => existsSync(`/proc/${pid}`)),
      [],
    );
  });
});

function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
}

function pairs(keys: readonly Key[]): { key: Key; algorithm: Algorithm }[] {
  return keys.flatMap((key) => {
    // A TLS 1.3 message is never signed with rsa_pkcs1 for that use; as "digest" it is granted here.
    return algorithmsOf(publicKeyFromSpki(key.publicKeyDer)).map((algorithm) => ({ key, algorithm }));
  });
}

function requestOf(key: Key, algorithm: Algorithm, value: Buffer, $case: 'message' | 'digest'): SignRequest {
  return {
    spkiSha256: key.spkiSha256,
    scheme: algorithm.scheme,
    input: { $case, value },
    timeoutUs: 5_000_000,
    attemptId: Buffer.alloc(0),
  };
}

function verifies(key: Key, algorithm: Algorithm, signature: Buffer): boolean {
  const publicKey: KeyObject = createPublicKey({ key: key.publicKeyDer, format: 'der', type: 'spki' });
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: algorithm.digestBytes };
  return verify(
    algorithm.hash ?? null,
    MESSAGE,
    { key: publicKey, ...(algorithm.padding === 'pss' ? pss : {}) },
    signature,
  );
}

async function listKeys(t: Test, address: string): Promise<Key[]> {
  const client = grpcClient(t, KeyServiceClient, address);
  const { keys } = await unary<{ keys: Key[] }>((...call) => client.listKeys({ pageSize: 0, pageToken: '' }, ...call));
  return keys;
}

function unarySigner(t: Test, address: string): Sign {
  const client = grpcClient(t, SigningServiceClient, address);
  return async (request) => {
    const { signature } = await unary<{ signature: Buffer }>((...call) => client.sign(request, ...call));
    return signature;
  };
}

function streamSigner(t: Test, address: string): Sign {
  const stream = grpcClient(t, SigningServiceClient, address).signStream();
  const waiting = new Map<number, (answer: SignStreamResponse) => void>();
  stream.on('data', (answer: SignStreamResponse) => waiting.get(answer.id)?.(answer));
  stream.on('error', () => {});
  t.teardown(() => stream.cancel());
  let id = 0;
  return async (request) => {
    const mine = ++id;
    const answer = new Promise<SignStreamResponse>((resolve) => waiting.set(mine, resolve));
    stream.write({ id: mine, body: { $case: 'sign', value: request } });
    return signatureOf(await answer);
  };
}

async function socketSigner(t: Test, path: string): Promise<Sign> {
  const client = await SocketClient.hello(path);
  t.teardown(() => client.close());
  let id = 1;
  return async (request) => {
    const mine = ++id;
    client.sign(mine, request);
    return signatureOf(await client.answer(mine));
  };
}

function signatureOf({ body }: SignStreamResponse): Buffer {
  if (body?.$case === 'sign') return body.value.signature;
  throw new Error(body?.$case === 'error' ? body.value.message : 'no answer');
}
