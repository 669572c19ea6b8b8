import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { SignatureScheme, type SignRequest } from '../src/gen/signet/v1/sign.js';
import { SigningServiceClient } from '../src/gen/signet/v1/signing_service.js';
import { createFaultyToken } from './fixtures/faulty-token.js';
import { grpcClient, unary } from './fixtures/grpc-client.js';
import { knownKey } from './fixtures/known-key.js';
import { type RunningService, startService } from './fixtures/running-service.js';
import { SocketClient } from './fixtures/socket-client.js';
import { steadyLoad } from './fixtures/steady-load.js';
import { watchTokens } from './fixtures/token-status.js';
import { recordGoal } from './reliability/measured-goal.js';
import { times } from './reliability/soak.js';

const SIGNERS = 2;
const TOKEN_US = 5_000;
const CONNECTIONS = 4;
/** On each connection: far more than the signers take at once, so most of them wait in the queue when the signal comes. */
const IN_FLIGHT = 8;
const GRPC_CALLERS = 4;
const EXIT_MS_MAX = 5_000;
/** Of 100 in a soak. */
const ROUNDS = 2;

const key = knownKey();
const token = createFaultyToken({ keys: [{ label: 'known', pem: key.pem }] });
t.teardown(() => token.remove());

t.test(
  'goal F9: at a SIGTERM under full load every request that was accepted is answered, and the service ends',
  async (t) => {
    const service = await start(t);
    const told: Told = { signed: 0, wrong: 0, errors: [], unanswered: 0 };
    const connections = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => SocketClient.hello(service.webSocket)),
    );
    const lanes = connections.flatMap((client) => Array.from({ length: IN_FLIGHT }, () => untilGoAway(client, told)));
    const { load, made } = grpcLoad(t, service);
    await load.more(50);

    service.kill('SIGTERM');
    const beganMs = performance.now();
    await Promise.all(lanes);
    await load.stop();
    t.equal(await service.exit(), 0);
    const tookMs = performance.now() - beganMs;
    t.ok(tookMs <= EXIT_MS_MAX, `ended after ${Math.round(tookMs)} ms`);

    const attempts = service.attempts();
    const ofPrincipal = (name: string) => attempts.filter(({ principal }) => principal === name);
    t.same([...new Set(attempts.map(({ outcome }) => outcome))], ['ok'], `${attempts.length} accepted, none failed`);
    t.equal(told.signed, ofPrincipal('web').length, 'socket: as many signatures came as were accepted');
    t.equal(made(), ofPrincipal('local').length, 'gRPC: as many signatures came as were accepted');
    t.equal(told.wrong, 0);
    t.equal(told.unanswered, 0, 'none was left without an answer');
    recordGoal(
      {
        id: 'F9',
        goal: 'accepted requests lost at a SIGTERM',
        measured: attempts.length - told.signed - made(),
        unit: '',
        must: 'at most',
        bound: 0,
        of: `${attempts.length}`,
      },
      { id: 'F9', goal: 'exit after a SIGTERM', measured: tookMs, unit: 'ms', must: 'at most', bound: EXIT_MS_MAX },
    );
    t.ok(
      told.errors.every((message) => /said GoAway on this connection/.test(message)),
      `${told.errors.length} came too late to be accepted, and were told to go elsewhere`,
    );
  },
);

t.test('goal F9: a new service at the same sockets, then the old one drained: no request fails', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'signet-F9-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  let service = await start(t, folder);
  let going = true;
  const told: Told = { signed: 0, wrong: 0, errors: [], unanswered: 0 };
  const callers = Array.from({ length: CONNECTIONS }, async () => {
    while (going) {
      const client = await SocketClient.hello(service.webSocket);
      await Promise.all(Array.from({ length: IN_FLIGHT }, () => untilGoAway(client, told, () => going)));
      client.close();
    }
  });
  const { load } = grpcLoad(t, service);
  let rounds = 0;
  for (const round of times(ROUNDS)) {
    rounds = round;
    await load.more(50);
    const old = service;
    service = await start(t, folder);
    await load.more(20);
    old.kill('SIGTERM');
    const beganMs = performance.now();
    t.equal(await old.exit(), 0);
    t.ok(performance.now() - beganMs <= EXIT_MS_MAX);
  }
  await load.more(50);
  going = false;
  await Promise.all([load.stop(), ...callers]);
  t.same(load.failures, [], `gRPC: ${load.answered} asked, none failed`);
  t.same(told.errors, [], `socket: ${told.signed} signed, none failed`);
  t.equal(told.wrong + told.unanswered, 0);
  recordGoal({
    id: 'F9',
    goal: 'requests failed while a service is replaced',
    measured: load.failures.length + told.errors.length + told.wrong + told.unanswered,
    unit: '',
    must: 'at most',
    bound: 0,
    of: `${load.answered + told.signed} in ${rounds} replacements`,
  });
});

async function start(t: Test, folder?: string): Promise<RunningService> {
  const service = await startService(t, token, { signers: SIGNERS, ...(folder !== undefined && { folder }) });
  await watchTokens(t, service).is('test', 'SERVING', SIGNERS);
  token.order({ latencyUs: TOKEN_US });
  return service;
}

/** What the callers of the socket transport were told. */
interface Told {
  signed: number;
  wrong: number;
  readonly errors: string[];
  unanswered: number;
}

let nextId = 2;

/** One request after the other, until the service says GoAway. */
async function untilGoAway(client: SocketClient, told: Told, going = () => true): Promise<void> {
  while (going() && !client.frames.some(({ body }) => body?.$case === 'goAway')) {
    const id = nextId++;
    client.sign(id, request());
    const answer = await client.answer(id).catch(() => undefined);
    if (!answer) {
      told.unanswered++;
      return;
    }
    client.frames.splice(client.frames.indexOf(answer), 1);
    if (answer.body?.$case !== 'sign') told.errors.push(JSON.stringify(answer.body));
    else if (key.verifies(MESSAGE, answer.body.value.signature)) told.signed++;
    else told.wrong++;
  }
}

/** Callers of unary calls. */
function grpcLoad(t: Test, service: RunningService) {
  const client = grpcClient(t, SigningServiceClient, service.grpcAddress);
  let made = 0;
  const call = async () => {
    const { signature } = await unary<{ signature: Buffer }>((...rest) => client.sign(request(), ...rest), 20_000);
    if (!key.verifies(MESSAGE, signature)) throw new Error('a wrong signature');
    made++;
  };
  return { load: steadyLoad(Array.from({ length: GRPC_CALLERS }, () => call)), made: () => made };
}

const MESSAGE = Buffer.from('to be signed until the end');

function request(): SignRequest {
  return {
    spkiSha256: key.spkiSha256,
    scheme: SignatureScheme.SIGNATURE_SCHEME_ECDSA_SECP256R1_SHA256,
    input: { $case: 'message', value: MESSAGE },
    timeoutUs: 5_000_000,
    attemptId: Buffer.alloc(0),
  };
}
