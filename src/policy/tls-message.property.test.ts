import { ECDH, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { recordGoal } from '../../test/reliability/measured-goal.js';
import {
  algorithm,
  clientFlight,
  csr,
  EVERY_GROUP,
  ecKey,
  ephemeralKey,
  tls12Client,
  tls12Server,
  tls13,
} from '../../test/tls-messages.js';
import { TLS12_GROUPS } from '../tls-groups.js';
import { recogniseUse } from './tls-message.js';

/** docs/tls-bound-signing.md speaks of 1,000,000; that many take half a minute: SIGNET_PROPERTY_RUNS=1000000. */
const RUNS = Number(process.env.SIGNET_PROPERTY_RUNS ?? 20_000);
const MS_PER_RUN_MAX = 0.2;

t.setTimeout(60_000 + RUNS * MS_PER_RUN_MAX);
const own = ecKey();
const ECDSA = algorithm('ecdsa_secp256r1_sha256');
const use = (message: Uint8Array) => recogniseUse(message, ECDSA, own.publicKey, EVERY_GROUP);

/** The specification a second time, in regular expressions and OpenSSL, for messages that do not begin like ASN.1. */
function oracle(message: Buffer): string | undefined {
  const tls13 = /^ {64}TLS 1\.3, (server|client) CertificateVerify\0[^]{32}(?:[^]{16})?$/.exec(
    message.toString('latin1'),
  );
  if (tls13) return `tls13-${tls13[1]}`;
  const [, group = '', point = ''] =
    /^.{128}03(001741(?=04.{128}$)|001861(?=04.{192}$)|001985(?=04.{264}$)|001d20(?=.{64}$)|001e38(?=.{112}$))(.*)$/.exec(
      message.toString('hex'),
    ) ?? [];
  if (group === '') return undefined;
  if (group === '001d20') return canonical(point, 2n ** 255n - 19n) ? 'tls12-server' : undefined;
  if (group === '001e38') return canonical(point, 2n ** 448n - 2n ** 224n - 1n) ? 'tls12-server' : undefined;
  return isAcceptedByOpenssl(group, point) ? 'tls12-server' : undefined;
}

const CURVES: Record<string, string> = { '001741': 'prime256v1', '001861': 'secp384r1', '001985': 'secp521r1' };

function isAcceptedByOpenssl(group: string, point: string): boolean {
  try {
    ECDH.convertKey(point, CURVES[group] as string, 'hex', 'hex', 'compressed');
    return true;
  } catch {
    return false;
  }
}

/** Low order does not come up by chance; tls-message.test.ts has those. */
function canonical(point: string, p: bigint): boolean {
  let u = 0n;
  for (let i = point.length; i > 0; i -= 2) u = u * 256n + BigInt(Number.parseInt(point.slice(i - 2, i), 16));
  return u < p && u > 1n;
}

/** One number for all bytes: an array of numbers takes fast-check ten times as long. */
const bytes = (length: number) =>
  fc
    .bigInt({ min: 0n, max: 256n ** BigInt(length) - 1n })
    .map((number) => Buffer.from(number.toString(16).padStart(2 * length, '0'), 'hex'));
const POINTS = TLS12_GROUPS.flatMap((group) =>
  Array.from({ length: 8 }, () => ({ group, point: ephemeralKey(group) })),
);
const valid = fc.oneof(
  fc
    .tuple(fc.constantFrom('server' as const, 'client' as const), fc.oneof(bytes(32), bytes(48)))
    .map(([side, hash]) => tls13(side, hash)),
  fc
    .tuple(
      bytes(64).filter(([first]) => first !== 0x30 && first !== 0x31 && first !== 1),
      fc.constantFrom(...POINTS),
    )
    .map(([randoms, { group, point }]) => tls12Server(group, randoms, point)),
);

type Mutation = (message: Buffer) => Buffer;
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 255 })).map(
    ([place, bits]): Mutation =>
      (message) => {
        const changed = Buffer.from(message);
        const at = Math.min(message.length - 1, Math.floor(place * message.length));
        changed[at] = (changed[at] as number) ^ bits;
        return changed;
      },
  ),
  // Half of the changes fall where the structure is.
  fc.tuple(fc.integer({ min: 60, max: 100 }), fc.integer({ min: 0, max: 255 })).map(
    ([at, value]): Mutation =>
      (message) => {
        const changed = Buffer.from(message);
        if (at < changed.length) changed[at] = value;
        return changed;
      },
  ),
  fc.nat(40).map(
    (cut): Mutation =>
      (message) =>
        message.subarray(0, Math.max(0, message.length - cut)),
  ),
  fc.nat(40).map(
    (cut): Mutation =>
      (message) =>
        message.subarray(cut),
  ),
  fc.uint8Array({ maxLength: 40 }).map(
    (tail): Mutation =>
      (message) =>
        Buffer.concat([message, tail]),
  ),
  fc.uint8Array({ maxLength: 40 }).map(
    (front): Mutation =>
      (message) =>
        Buffer.concat([front, message]),
  ),
);

const beginsLikeAnother = (message: Buffer) => [0x30, 0x31, 1].includes(message[0] ?? 0);

t.test(
  'B1: what is accepted as tls13-* and tls12-server is what a second reading of the specification accepts',
  async (t) => {
    const seen = new Map<string | undefined, number>();
    fc.assert(
      fc.property(valid, fc.array(mutation, { maxLength: 2 }), (message, mutations) => {
        const changed = mutations.reduce((before, mutate) => mutate(before), message);
        fc.pre(!beginsLikeAnother(changed));
        const expected = oracle(changed);
        seen.set(expected, (seen.get(expected) ?? 0) + 1);
        if (mutations.length === 0 && expected === undefined) throw new Error('the oracle refuses a good message');
        if (use(changed) !== expected) throw new Error(`expected ${expected}, got ${use(changed)}`);
      }),
      { numRuns: RUNS },
    );
    recordGoal({
      id: 'B1',
      goal: 'messages that are judged otherwise than by a second reading of the specification',
      measured: 0,
      unit: '',
      must: 'at most',
      bound: 0,
      of: `${RUNS} generated and changed messages`,
    });
    t.ok((seen.get('tls12-server') ?? 0) > RUNS / 10, `${seen.get('tls12-server')} of tls12-server`);
    t.ok((seen.get('tls13-server') ?? 0) > RUNS / 40, `${seen.get('tls13-server')} of tls13-server`);
    t.ok((seen.get(undefined) ?? 0) > RUNS / 4, `${seen.get(undefined)} refused`);
  },
);

t.test('random bytes are nothing', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (message) => use(message) === undefined),
    { numRuns: 5_000 },
  );
  t.pass();
});

t.test('a client transcript stays one exactly as long as its messages stay whole and in order', async (t) => {
  const parts = Object.keys(clientFlight());
  const optional = new Set(['status', 'serverKeyExchange']);
  fc.assert(
    fc.property(fc.shuffledSubarray(parts), (chosen) => {
      const flight: Record<string, Buffer> = { ...clientFlight() };
      const message = Buffer.concat(chosen.map((name) => flight[name] as Buffer));
      const ordered = chosen.every(
        (name, i) => i === 0 || parts.indexOf(chosen[i - 1] as string) < parts.indexOf(name),
      );
      const complete = parts.every((name) => optional.has(name) || chosen.includes(name));
      return use(message) === (ordered && complete ? 'tls12-client' : undefined);
    }),
    { numRuns: 3_000 },
  );
  fc.assert(
    fc.property(fc.subarray([...optional]), (left) => {
      const none = Object.fromEntries(left.map((name) => [name, Buffer.alloc(0)]));
      return use(tls12Client(none)) === 'tls12-client';
    }),
    { numRuns: 50 },
  );
  t.pass();
});

t.test('a transcript whose lengths are spoilt anywhere is refused', async (t) => {
  const message = tls12Client();
  const headers = Object.values(clientFlight()).reduce<number[]>(
    (at, part) => [...at, (at.at(-1) ?? 0) + part.length],
    [0],
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...headers.slice(0, -1)),
      fc.nat(3),
      fc.integer({ min: 1, max: 255 }),
      (at, offset, bits) => {
        const changed = Buffer.from(message);
        changed[at + offset] = (changed[at + offset] as number) ^ bits;
        return use(changed) === undefined;
      },
    ),
    { numRuns: 3_000 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: message.length - 1 }), (end) => use(message.subarray(0, end)) === undefined),
    { numRuns: 2_000 },
  );
  t.pass();
});

t.test('a certification request that is cut, lengthened or changed in its frame or its key is refused', async (t) => {
  const message = csr(
    own.privateKey,
    '-subj',
    '/C=CH/CN=www.example.com',
    '-addext',
    'subjectAltName=DNS:www.example.com',
  );
  const key = message.indexOf(own.publicKey.spki);
  t.equal(use(message), 'csr');
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 6 + own.publicKey.spki.length }),
      fc.integer({ min: 1, max: 255 }),
      (place, bits) => {
        const at = place < 7 ? place : key + place - 7;
        const changed = Buffer.from(message);
        changed[at] = (changed[at] as number) ^ bits;
        return use(changed) === undefined;
      },
    ),
    { numRuns: 3_000 },
  );
  fc.assert(
    fc.property(fc.nat(message.length - 1), fc.uint8Array({ minLength: 1, maxLength: 30 }), (end, tail) => {
      return use(message.subarray(0, end)) === undefined && use(Buffer.concat([message, tail])) === undefined;
    }),
    { numRuns: 2_000 },
  );
});

t.test('no recogniser throws, whatever comes', async (t) => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const seeds = [
    tls12Client(),
    csr(own.privateKey, '-subj', '/CN=x'),
    csr(privateKey, '-subj', '/CN=x'),
    tls12Server('x448'),
  ];
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 6 }), (seed, mutations) => {
      use(mutations.reduce((before, mutate) => mutate(before), seed));
    }),
    { numRuns: 10_000 },
  );
  t.pass();
});
