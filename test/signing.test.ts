import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { type Algorithm, algorithmNamed } from '../src/algorithms.js';
import {
  listKeys,
  MESSAGE,
  pairs,
  requestOf,
  type Sign,
  socketSigner,
  streamSigner,
  unarySigner,
  verifies,
} from './fixtures/carriers.js';
import { startService } from './fixtures/running-service.js';
import { createToken } from './fixtures/softhsm-token.js';
import { until } from './fixtures/until.js';

const KINDS = ['p256', 'p384', 'p521', 'rsa2048', 'rsa3072', 'ed25519'] as const;

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
    // One that was killed in the end may still be on its way out.
    await t.resolves(until(() => !children.some(lives)));
  });
});

/** Whether it is there and no zombie, which whoever inherited it has yet to bury (proc(5), stat). */
function lives(pid: string): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
}
