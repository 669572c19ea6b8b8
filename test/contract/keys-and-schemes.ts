import { createHash } from 'node:crypto';
import type { Test } from 'tap';
import type { Algorithm } from '../../src/algorithms.js';
import type { Key } from '../../src/gen/signet/v1/keys.js';
import { KEY_RECIPES, type KeyKind } from '../../src/token-admin/key-kinds.js';
import { MESSAGE, pairs, requestOf, type Sign, socketSigner, streamSigner, verifies } from '../fixtures/carriers.js';
import type { RunningService } from '../fixtures/running-service.js';
import type { ContractToken, Mechanisms } from './contract-token.js';

/** With their sizes in bits. RSA-3072 and RSA-4096 differ in a number only. */
const KINDS: readonly (readonly [KeyKind, number])[] = [
  ['p256', 256],
  ['p384', 384],
  ['p521', 521],
  ['rsa2048', 2048],
  ['ed25519', 256],
];

/** What the mechanism list does not allow is skipped, and said. */
export async function makesKeys(t: Test, token: ContractToken, mechanisms: Mechanisms): Promise<KeyKind[]> {
  const made: KeyKind[] = [];
  for (const [kind, bits] of KINDS) {
    const lack = token.lacks?.[kind] ?? lackOf(mechanisms, KEY_RECIPES[kind].mechanism, bits);
    if (lack) {
      t.pass(kind, { skip: lack });
      continue;
    }
    await token.generate(kind, kind);
    t.pass(kind);
    made.push(kind);
  }
  return made;
}

/** Each key with each scheme, of a message and of a digest, in every way to the service. */
export async function signsWithAll(
  t: Test,
  mechanisms: Mechanisms,
  service: RunningService,
  keys: readonly Key[],
): Promise<void> {
  const carriers: Record<string, Sign> = {
    'the socket transport': await socketSigner(t, service.webSocket),
    'a gRPC stream': streamSigner(t, service.grpcAddress),
  };
  for (const [carrier, sign] of Object.entries(carriers)) {
    await t.test(`every scheme signs through ${carrier}, and OpenSSL verifies it`, async (t) => {
      for (const pair of pairs(keys)) await signsWith(t, sign, mechanisms, pair);
    });
  }
}

interface Pair {
  readonly key: Key;
  readonly algorithm: Algorithm;
}

async function signsWith(t: Test, sign: Sign, mechanisms: Mechanisms, { key, algorithm }: Pair): Promise<void> {
  const name = `${key.label}, ${algorithm.name}`;
  const lack = lackOf(mechanisms, algorithm.mechanism, 0);
  if (lack) return void t.pass(name, { skip: lack });
  const ofMessage = sign(requestOf(key, algorithm, MESSAGE, 'message'));
  t.ok(verifies(key, algorithm, await ofMessage), `${name}, a message`);
  if (algorithm.hash === undefined) return;
  const digest = createHash(algorithm.hash).update(MESSAGE).digest();
  t.ok(verifies(key, algorithm, await sign(requestOf(key, algorithm, digest, 'digest'))), `${name}, a digest`);
}

/** Why the token cannot do it; undefined if it can. `bits` 0: of whatever size. */
function lackOf(mechanisms: Mechanisms, mechanism: number, bits: number): string | undefined {
  const range = mechanisms.get(mechanism);
  const name = `mechanism 0x${mechanism.toString(16)}`;
  if (!range) return `the token does not list ${name}`;
  if (bits === 0 || range.max === 0 || (bits >= range.min && bits <= range.max)) return undefined;
  return `the token lists ${name} for ${range.min} to ${range.max} bits`;
}
