import fc from 'fast-check';
import t from 'tap';
import { foreignMessages } from '../../test/foreign-messages.js';
import { recordGoal } from '../../test/reliability/measured-goal.js';
import { algorithm, EVERY_GROUP, ecKey } from '../../test/tls-messages.js';
import { recogniseUse } from './tls-message.js';

/** `make test-long` makes a million of it: SIGNET_PROPERTY_RUNS=1000000. */
const RUNS = Number(process.env.SIGNET_PROPERTY_RUNS ?? 20_000);
const MS_PER_RUN_MAX = 0.2;

t.setTimeout(60_000 + RUNS * MS_PER_RUN_MAX);
const { publicKey } = ecKey();
const ECDSA = algorithm('ecdsa_secp256r1_sha256');
const FOREIGN = foreignMessages();
/** These lack only bytes that a change may add, and are then what they claim; tls-message.property.test.ts judges those. */
const NEAR = ['TLS 1.3 with a transcript of SHA-1', 'parameters without their randoms'];
const FAR = Object.entries(FOREIGN).flatMap(([name, message]) => (NEAR.includes(name) ? [] : [message]));
const use = (message: Uint8Array) => recogniseUse(message, ECDSA, publicKey, EVERY_GROUP);

t.test('B1: nothing that another protocol signs is accepted', async (t) => {
  for (const [name, message] of Object.entries(FOREIGN)) t.equal(use(message), undefined, name);
});

t.test('B1: nor is it when it is changed, cut, lengthened or joined with another', async (t) => {
  const foreign = fc.constantFrom(...FAR);
  const bytes = fc.uint8Array({ maxLength: 64 });
  const place = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(foreign, foreign, bytes, place, place, fc.nat(5), (one, other, insert, from, to, how) => {
      const message = mutated(one, other, insert, from * one.length, to * one.length, how);
      const seen = use(message);
      if (seen !== undefined) throw new Error(`accepted as ${seen}: ${message.toString('hex')}`);
    }),
    { numRuns: RUNS },
  );
  t.pass();
  // fc.assert throws at the first.
  recordGoal({
    id: 'B1',
    goal: 'messages of other protocols that were accepted',
    measured: 0,
    unit: '',
    must: 'at most',
    bound: 0,
    of: `${RUNS} changed messages of ${FAR.length} kinds`,
  });
});

function mutated(one: Buffer, other: Buffer, insert: Uint8Array, from: number, to: number, how: number): Buffer {
  const [start, end] = [Math.min(from, to), Math.max(from, to)];
  if (how === 0) return Buffer.concat([one.subarray(0, start), insert, one.subarray(start)]);
  if (how === 1) return Buffer.concat([one.subarray(0, start), insert, one.subarray(end)]);
  if (how === 2) return one.subarray(start, end);
  if (how === 3) return Buffer.concat([one.subarray(0, start), other]);
  if (how === 4) return Buffer.concat([Buffer.alloc(64, ' '), one]);
  const changed = Buffer.from(one);
  changed.set(insert.subarray(0, one.length - Math.floor(start)), Math.floor(start));
  return changed;
}
