import type { Test } from 'tap';
import { type Algorithm, algorithmNamed, algorithmsOf, SCHEME_NAMES } from '../../src/algorithms.js';
import type { Key } from '../../src/gen/signet/v1/keys.js';
import { publicKeyFromSpki } from '../../src/public-key.js';
import { MESSAGE, requestOf, type Sign, socketSigner, verifies } from '../fixtures/carriers.js';
import type { Faults } from '../fixtures/faulty-token.js';
import type { RunningService } from '../fixtures/running-service.js';

/** Lengths that are some scheme's, and their neighbours. */
const DIGEST_BYTES = [1, 20, 31, 32, 33, 47, 48, 49, 63, 64, 65];

/** Every pair of key and scheme that does not fit, and every digest of another length than the scheme's. */
export async function refusesMisfits(t: Test, service: RunningService, faults: Faults, keys: readonly Key[]) {
  const sign = await socketSigner(t, service.webSocket);
  const reached = () => faults.counters('C_SignInit').calls;
  const before = reached();
  for (const key of keys) {
    const fitting = algorithmsOf(publicKeyFromSpki(key.publicKeyDer));
    for (const algorithm of ALL.filter((one) => !fitting.includes(one))) {
      await refused(t, sign, `${key.label} with ${algorithm.name}`, requestOf(key, algorithm, MESSAGE, 'message'));
    }
    for (const algorithm of fitting) {
      for (const bytes of DIGEST_BYTES.filter((length) => length !== algorithm.digestBytes)) {
        const digest = requestOf(key, algorithm, Buffer.alloc(bytes, 1), 'digest');
        await refused(t, sign, `${key.label} with ${algorithm.name} and a digest of ${bytes} bytes`, digest);
      }
    }
  }
  // Of RSA not every token has every scheme.
  const key = keys.find(({ label }) => label === 'p256') as Key;
  const stranger = { ...key, spkiSha256: Buffer.alloc(32, 1) };
  const [algorithm] = algorithmsOf(publicKeyFromSpki(key.publicKeyDer)) as [Algorithm];
  await refused(t, sign, 'a key that is not there', requestOf(stranger, algorithm, MESSAGE, 'message'));
  t.equal(reached(), before, 'none of these reached the token');

  const signature = await sign(requestOf(key, algorithm, MESSAGE, 'message'));
  t.ok(verifies(key, algorithm, signature), 'what fits is signed');
  t.equal(reached(), before + 1, 'and is what the token saw');
}

const ALL = SCHEME_NAMES.map((name) => algorithmNamed(name) as Algorithm);

async function refused(t: Test, sign: Sign, what: string, request: Parameters<Sign>[0]): Promise<void> {
  await t.rejects(sign(request), /does not fit the key|digest|no key of this SPKI/, what);
}
