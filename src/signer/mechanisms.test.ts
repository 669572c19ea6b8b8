import { appendFileSync } from 'node:fs';
import t from 'tap';
import { sign, startPool, tokenOf } from '../../test/fixtures/pool.js';
import { newJob } from '../../test/fixtures/sign-job.js';
import { type Algorithm, algorithmNamed } from '../algorithms.js';
import { verifies } from './verify.js';

const MESSAGE = Buffer.from('to be signed');

t.test(
  'what a token does not list is not asked of it, and a key that it can do nothing with is not used',
  async (t) => {
    const token = tokenOf(t, {
      keys: [
        { label: 'rsa2048', type: 'rsa2048' },
        { label: 'ed25519', type: 'ed25519' },
      ],
    });
    appendFileSync(token.conf, 'slots.mechanisms = CKM_RSA_PKCS,CKM_ECDSA\n');
    const { pool, keys } = await startPool(t, [token.tokenConfig()]);
    t.same(
      keys.map(({ label }) => label),
      ['rsa2048'],
    );
    const [key] = keys;
    if (!key) return;
    const [pss, pkcs1] = ['rsa_pss_rsae_sha256', 'rsa_pkcs1_sha256'].map((name) => algorithmNamed(name) as Algorithm);
    const refused = await sign(pool, newJob(key, pss as Algorithm, MESSAGE));
    t.match(refused, { ok: false, error: { code: 'invalid_argument', message: /its token cannot make it/ } });
    const made = await sign(pool, newJob(key, pkcs1 as Algorithm, MESSAGE));
    t.ok(made.ok && verifies(key.key, pkcs1 as Algorithm, MESSAGE, Buffer.from(made.signature)));
  },
);
