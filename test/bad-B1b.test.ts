import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { recogniseUse } from '../src/policy/tls-message.js';
import { USES } from '../src/sign-job.js';
import { TLS12_GROUPS_DEFAULT } from '../src/tls-groups.js';
import { testPolicy, useOf } from './fixtures/policy.js';
import { recordGoal } from './reliability/measured-goal.js';
import {
  algorithm,
  certificateOf,
  csr,
  EVERY_GROUP,
  ecKey,
  ephemeralKey,
  tls12Client,
  tls12Server,
  tls13,
} from './tls-messages.js';

const own = ecKey();
const ECDSA = algorithm('ecdsa_secp256r1_sha256');
const BODIES = 2_000;
const DEFAULT_GROUPS = new Set(TLS12_GROUPS_DEFAULT);

t.test('B1b: what remains to a caller of tls12-server, and what does not', async (t) => {
  await t.test('64 bytes are its choice, and the manual says so', async (t) => {
    for (const first of [
      Buffer.alloc(64, 'A'),
      Buffer.alloc(64),
      Buffer.from('GET /transfer?to=mallory HTTP/1.1\r\n'.padEnd(64)),
    ])
      t.equal(recogniseUse(tls12Server('x25519', first), ECDSA, own.publicKey, DEFAULT_GROUPS), 'tls12-server');
    const manual = readFileSync(join(import.meta.dirname, '../docs/tls-bound-signing.md'), 'utf8').replace(/\s+/g, ' ');
    t.match(manual, "the first **64 bytes stay the caller's choice**");
    t.match(manual, 'a certificate body of 201 bytes');
  });

  await t.test('a certificate body of 201 bytes is refused, with and without a point on the curve', async (t) => {
    let accepted = 0;
    for (let i = 0; i < BODIES; i++) {
      const off = certificateBody(Buffer.concat([Buffer.of(4), randomBytes(132)]));
      if (recogniseUse(off, ECDSA, own.publicKey, EVERY_GROUP) !== undefined) accepted++;
    }
    // That group is in no grant that does not name it.
    const on = certificateBody(ephemeralKey('secp521r1'));
    if (recogniseUse(on, ECDSA, own.publicKey, DEFAULT_GROUPS) !== undefined) accepted++;
    t.equal(accepted, 0);
    t.equal(
      recogniseUse(certificateOf(own.privateKey), ECDSA, own.publicKey, EVERY_GROUP),
      undefined,
      'nor a real one',
    );
    recordGoal({
      id: 'B1b',
      goal: '201-byte certificate bodies that were accepted',
      measured: accepted,
      unit: '',
      must: 'at most',
      bound: 0,
      of: `${BODIES} bodies`,
    });
  });

  await t.test('a key that signs certificates has no TLS use, whatever is granted', async (t) => {
    const { policy } = testPolicy({
      principals: [{ name: 'nginx', socket: { role: 'web' } }],
      keys: [{ key: 'label:ca', ca: true }],
      grants: [{ principal: 'nginx', keys: ['*'], uses: [...USES] }],
    });
    const served = (label: string) => ({ key: own.publicKey, label, id: '01', certificateChain: [], tokens: ['main'] });
    const messages = [
      tls13('server'),
      tls13('client'),
      tls12Server('x25519'),
      tls12Client(),
      csr(own.privateKey, '-subj', '/CN=x'),
      randomBytes(64),
    ];
    const uses = (label: string) => messages.map((message) => useOf(policy, 'nginx', served(label), ECDSA, message));
    const given = uses('ca').filter((use) => use !== undefined).length;
    t.equal(given, 0);
    t.same(uses('www'), [...USES], 'another key has all of them');
    recordGoal({
      id: 'B1b',
      goal: 'uses that were given of a key that signs certificates',
      measured: given,
      unit: '',
      must: 'at most',
      bound: 0,
    });
  });
});

/** As design.md tells of it: a SEQUENCE of 201 bytes, in which what follows the 64 randoms are parameters on P-521. */
function certificateBody(point: Buffer): Buffer {
  const head = Buffer.concat([Buffer.of(0x30, 0x81, 198), randomBytes(61)]);
  return Buffer.concat([head, Buffer.of(3, 0, 0x19, 133), point]);
}
