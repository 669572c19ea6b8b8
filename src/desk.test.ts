import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { testPolicy } from '../test/fixtures/policy.js';
import { recordGoal } from '../test/reliability/measured-goal.js';
import { csr, tls12Client, tls12Server, tls13 } from '../test/tls-messages.js';
import { algorithmsOf } from './algorithms.js';
import type { Caller } from './caller.js';
import { Desk } from './desk.js';
import { type SignRequest, SignStreamResponse } from './gen/signet/v1/sign.js';
import { DisabledKeys } from './keys/disabled-keys.js';
import { KeyRing } from './keys/key-ring.js';
import type { ServedKey } from './keys/served-key.js';
import { CurrentPolicy } from './policy/current-policy.js';
import { publicKeyFromKeyObject } from './public-key.js';
import type { Scheduler } from './scheduler/scheduler.js';
import { type SignJob, USES, type Use } from './sign-job.js';
import { Conversation } from './transport/conversation.js';

const unix = (role: string, uid: number, gid: number): Caller => ({ kind: 'unix', role, uid, gid, pid: 1 });
const apiKey = (sha256: string): Caller => ({ kind: 'api_key', sha256, connection: unix('web', 33, 33) });

/** Every kind of principal, and callers that are none. */
const CLIENTS: Record<string, { caller: Caller; principal?: object }> = {
  nginx: { caller: unix('web', 33, 33), principal: { socket: { role: 'web', uid: 33 } } },
  team: { caller: unix('web', 34, 100), principal: { socket: { role: 'web', gid: 100 } } },
  billing: {
    caller: { kind: 'certificate', names: ['CN:x', 'DNS:billing.example.com'], remote: '' },
    principal: { certificate: 'DNS:billing.example.com' },
  },
  reports: { caller: apiKey('ab'.repeat(32)), principal: { api_key_sha256: 'ab'.repeat(32) } },
  stranger: { caller: unix('web', 35, 101) },
  root: { caller: unix('apps', 0, 0) },
  forger: { caller: apiKey('00'.repeat(32)) },
};
const PRINCIPALS = Object.entries(CLIENTS).flatMap(([name, { principal }]) =>
  principal ? [{ name, ...principal }] : [],
);

const PRIVATE_KEYS: Record<string, KeyObject> = {
  ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  ed25519: generateKeyPairSync('ed25519').privateKey,
  disabled: generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  unknown: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
};
const KEYS = Object.entries(PRIVATE_KEYS).map(([label, privateKey]) => ({
  label,
  privateKey,
  served: served(label, privateKey),
}));

function served(label: string, privateKey: KeyObject): ServedKey {
  const key = publicKeyFromKeyObject(privateKey);
  return { key, label, id: key.spkiSha256.slice(0, 40), certificateChain: [], tokens: ['main'] };
}

/** What each use looks like, and what shows none. */
const MESSAGES: Record<Use | 'jwt', (key: KeyObject) => Buffer> = {
  'tls13-server': () => tls13('server'),
  'tls13-client': () => tls13('client'),
  'tls12-server': () => tls12Server('x25519'),
  'tls12-client': () => tls12Client(),
  csr: (key) => csr(key, '-subj', '/CN=x'),
  digest: () => randomBytes(64),
  jwt: () => Buffer.from('eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJyb290In0'),
};

t.test(
  'B4: the whole matrix of client, key and use: what no grant gives is refused, all in the same bytes',
  async (t) => {
    const granted = new Set<string>();
    const combinations = PRINCIPALS.flatMap(({ name }) =>
      KEYS.flatMap(({ label }) => USES.map((use) => [name, label, use])),
    );
    for (const [i, combination] of combinations.entries())
      if (i % 5 === 1 || i % 7 === 2) granted.add(combination.join(' '));
    const has = (...combination: string[]) => granted.has(combination.join(' '));
    const grants = [...granted].map((combination) => {
      const [principal, label, use] = combination.split(' ');
      return { principal, keys: [`label:${label}`], uses: [use] };
    });
    const { ask, handed } = site(t, grants);
    const refusals = new Set<string>();
    let allowed = 0;
    let wrong = 0;
    let asked = 0;
    for (const [client, { caller }] of Object.entries(CLIENTS)) {
      for (const { label, privateKey, served } of KEYS) {
        for (const [shown, message] of Object.entries(MESSAGES)) {
          const isDigest = shown === 'digest';
          if (isDigest && label === 'ed25519') continue;
          const { frame, body } = await ask(caller, served, message(privateKey), isDigest);
          const inUse = label !== 'disabled' && label !== 'unknown';
          const isGiven = inUse && (has(client, label, shown) || has(client, label, 'digest'));
          asked++;
          if (body?.$case !== (isGiven ? 'sign' : 'error')) {
            wrong++;
            t.fail(`${client} ${label} ${shown}: ${JSON.stringify(body)}`);
          }
          if (isGiven) allowed++;
          else refusals.add(frame.toString('hex'));
        }
      }
    }
    t.ok(allowed > 30 && allowed < asked / 2, `${allowed} of ${asked} are given`);
    t.equal(handed.length, allowed, 'and nothing else goes further than the desk');
    t.ok(
      handed.every(({ principal, key }) =>
        KEYS.some(
          ({ label, served }) =>
            served.key.spkiSha256 === key.spkiSha256 && USES.some((use) => has(principal, label, use)),
        ),
      ),
    );
    recordMatrix(wrong, refusals.size - 1, `${asked} of client, key and use; ${allowed} granted`);
    t.equal(
      refusals.size,
      1,
      'a forbidden, a disabled and an unknown key, and a stranger, are told the same, byte for byte',
    );
  },
);

function recordMatrix(wrong: number, apart: number, of: string): void {
  const none = { id: 'B4', unit: '', must: 'at most', bound: 0, of } as const;
  recordGoal({ ...none, goal: 'of the matrix given without a grant, or refused with one', measured: wrong });
  recordGoal({ ...none, goal: 'refusals that can be told apart', measured: apart });
}

t.test('B4: without grants nobody has anything', async (t) => {
  const { ask, handed } = site(t, []);
  for (const { caller } of Object.values(CLIENTS)) {
    for (const { served } of KEYS) t.match((await ask(caller, served, tls13('server'))).body, { $case: 'error' });
  }
  t.equal(handed.length, 0);
});

t.test('a list of keys has those of the caller and no others', async (t) => {
  const { desk } = site(t, [
    { principal: 'nginx', keys: ['label:ec', 'label:disabled', 'label:unknown'], uses: ['csr'] },
  ]);
  const labels = (name: string) =>
    desk.keysOf(desk.identify((CLIENTS[name] as { caller: Caller }).caller)).map((key) => key.label);
  t.same(labels('nginx'), ['ec']);
  for (const name of ['team', 'billing', 'reports', 'stranger', 'root', 'forger']) t.same(labels(name), [], name);
});

t.test('an open connection is judged by the policy in force', async (t) => {
  const grant = { principal: 'nginx', keys: ['*'], uses: ['tls13-server'] };
  const { desk, current, create, askAs } = site(t, [grant]);
  const client = desk.identify(unix('web', 33, 33));
  const sign = async () => (await askAs(client, KEYS[0]?.served as ServedKey, tls13('server'))).body?.$case;
  t.equal(await sign(), 'sign');
  current.replace(create({ principals: PRINCIPALS, grants: [] }));
  t.equal(await sign(), 'error');
  current.replace(
    create({ principals: [{ name: 'other', socket: { role: 'web' } }], grants: [{ ...grant, principal: 'other' }] }),
  );
  t.equal(await sign(), 'sign');
  t.equal(client.principal, 'other', 'as whom the configuration names it now');
});

t.test('who is over a rate is told so, and who has no grant is not', async (t) => {
  const { ask } = site(t, [{ principal: 'nginx', keys: ['*'], uses: ['tls13-server'], rate_per_s: 1 }]);
  const key = KEYS[0]?.served as ServedKey;
  const nginx = unix('web', 33, 33);
  t.equal((await ask(nginx, key, tls13('server'))).body?.$case, 'sign');
  t.match((await ask(nginx, key, tls13('server'))).body, { value: { message: /retry in \d+ ms/ } });
  t.match((await ask(unix('web', 34, 100), key, tls13('server'))).body, { value: { message: /no key of this SPKI/ } });
});

/** A desk with its real policy and key ring, before a token that signs everything. */
function site(t: Test, grants: readonly object[]) {
  const folder = mkdtempSync(join(tmpdir(), 'signet-desk-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const log = pino({ level: 'silent' });
  const keys = new KeyRing(join(folder, 'catalogue'), new DisabledKeys(join(folder, 'state')), log);
  keys.replace(KEYS.filter(({ label }) => label !== 'unknown').map(({ served }) => served));
  const disabled = KEYS.find(({ label }) => label === 'disabled');
  keys.setDisabled(disabled?.served.key.spkiSha256 ?? '', true);
  const { policy, create } = testPolicy({ principals: PRINCIPALS, grants });
  const current = new CurrentPolicy(policy);
  const handed: SignJob[] = [];
  const submit = (job: SignJob) => {
    handed.push(job);
    setImmediate(() => job.finish({ ok: true, signature: Buffer.alloc(64), queueUs: 1, tokenUs: 2 }));
  };
  const desk = new Desk({
    current,
    keys,
    scheduler: { submit, ended: () => {} } as unknown as Scheduler,
    audit: undefined,
    observe: undefined,
    trace: undefined,
    log,
    allKeysKnown: () => true,
    limits: { sign_timeout_ms: 1_000 },
  });
  const askAs = (client: ReturnType<Desk['identify']>, key: ServedKey, input: Buffer, isDigest = false) =>
    answerOf(desk, client, requestOf(key, input, isDigest));
  const ask = (caller: Caller, key: ServedKey, input: Buffer, isDigest = false) =>
    askAs(desk.identify(caller), key, input, isDigest);
  return { desk, current, create, ask, askAs, handed };
}

function requestOf({ key }: ServedKey, value: Buffer, isDigest: boolean): SignRequest {
  return {
    spkiSha256: Buffer.from(key.spkiSha256, 'hex'),
    scheme: algorithmsOf(key)[0]?.scheme ?? 0,
    input: { $case: isDigest ? 'digest' : 'message', value: isDigest ? value.subarray(0, digestBytes(key)) : value },
    timeoutUs: 0,
    attemptId: randomBytes(16),
  };
}

function digestBytes(key: ServedKey['key']): number {
  return algorithmsOf(key)[0]?.digestBytes ?? 0;
}

/** The answer as it goes over the wire. */
function answerOf(desk: Desk, client: ReturnType<Desk['identify']>, request: SignRequest) {
  return new Promise<{ frame: Buffer; body: SignStreamResponse['body'] }>((resolve) => {
    const send = (response: SignStreamResponse) =>
      resolve({ frame: Buffer.from(SignStreamResponse.encode(response).finish()), body: response.body });
    const limits = { inFlightMax: 1, timeoutUsMax: 1, helloRequired: false };
    const conversation = new Conversation(desk, client, { send, end: () => {} }, limits, { inFlight: 0 });
    conversation.receive({ id: 1, body: { $case: 'sign', value: request } });
  });
}
