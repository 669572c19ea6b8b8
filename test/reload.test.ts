import { readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { KeyServiceClient } from '../src/gen/signet/v1/key_service.js';
import type { ListKeysResponse } from '../src/gen/signet/v1/keys.js';
import { SignatureScheme } from '../src/gen/signet/v1/sign.js';
import { SigningServiceClient } from '../src/gen/signet/v1/signing_service.js';
import { signet } from './fixtures/command-line.js';
import { grpcClient, unary } from './fixtures/grpc-client.js';
import { type RunningService, startService } from './fixtures/running-service.js';
import { SocketClient } from './fixtures/socket-client.js';
import { createToken } from './fixtures/softhsm-token.js';
import { type SteadyLoad, steadyLoad } from './fixtures/steady-load.js';
import { until } from './fixtures/until.js';
import { recordGoal } from './reliability/measured-goal.js';
import { tls13 } from './tls-messages.js';

const CALLS = 100;

t.test('F13: a reload under load', async (t) => {
  const { service, change, sign, local } = await startSite(t);
  const load = steadyLoad([sign, sign, local, local]);
  const reload = () => signet(['--config', service.configFile, 'reload']);
  const refused = () => service.log.filter(({ msg }) => String(msg).startsWith('reload refused'));
  await load.more(CALLS);

  await t.test('a bad configuration leaves the old one in force, and says where it is wrong', async (t) => {
    const wrong: [RegExp, (config: Wrong) => void][] = [
      [
        /^signet: signet.json:\d+:\d+: grants\[0\].principal: .* did you mean "web"\?$/m,
        (c) => (c.grants[0].principal = 'wed'),
      ],
      [
        /^signet: signet.json:\d+:\d+: limits.sign_timeout_ms: expected an integer/m,
        (c) => (c.limits.sign_timeout_ms = -1),
      ],
      [
        /^signet: signet.json:\d+:\d+: tokens\[0\].signers: cannot change while the service runs/m,
        (c) => (c.tokens[0].signers = 3),
      ],
      [/^signet: signet.json:\d+:\d+: audit.fsync_ms: cannot change/m, (c) => (c.audit.fsync_ms = 7)],
    ];
    for (const [expected, how] of wrong) {
      const before = refused().length;
      const undo = change((config) => {
        // All or nothing: what is right in it does not come into force either.
        config.grants = config.grants.map((grant: object) => ({ ...grant, uses: ['csr'] }));
        how(config);
      });
      const run = await reload();
      t.match(run, { code: 3, stdout: '', stderr: expected });
      await load.more(CALLS);
      t.equal(refused().length, before + 1, 'the log has it too');
      undo();
    }
    const undo = change(() => {});
    writeFileSync(service.configFile, 'principals: [');
    service.kill('SIGHUP');
    await until(() => refused().length === wrong.length + 1);
    t.match(refused().at(-1), { problems: [/^signet.json:1:\d+: not YAML/] });
    await load.more(CALLS);
    undo();
  });

  await load.stop();
  t.same(load.failures, [], 'no request was lost');
  t.ok(load.answered >= 6 * CALLS);
  recordLoss(load, refused().length);

  t.test('a good one takes effect on connections that are open', async (t) => {
    change((config) => {
      config.grants[0].uses = ['csr'];
      config.log.level = 'warn';
    });
    t.match(await reload(), { code: 0, stderr: 'in force: grants, log.level\n' });
    await t.rejects(sign(), /no key of this SPKI SHA-256/, 'the socket transport');
    await local();
    change((config) => {
      config.principals = config.principals.filter(({ name }: { name: string }) => name === 'web');
      config.grants = [{ principal: 'web', keys: ['*'], uses: ['tls13-server'] }];
      config.log.level = 'info';
    });
    service.kill('SIGHUP');
    await until(async () => !(await local().catch(() => undefined)));
    await sign();
    await t.rejects(local(), /no key of this SPKI SHA-256/, 'who is no principal any more has nothing');
    t.ok(await service.logged('configuration reloaded'));
  });
});

function recordLoss({ failures, answered }: SteadyLoad, refused: number): void {
  const goal = 'requests lost over reloads of bad configurations';
  const of = `${answered} requests, ${refused} reloads, each refused with line and column`;
  recordGoal({ id: 'F13', goal, measured: failures.length, unit: '', must: 'at most', bound: 0, of });
}

/** A configuration that is about to be spoilt. */
type Wrong = any;

/** A service, and callers on one connection of each transport that send what a TLS 1.3 server signs. */
async function startSite(t: Test) {
  const token = createToken({ keys: [{ label: 'www', type: 'p256' }] });
  t.teardown(() => token.remove());
  const service = await startService(t, token, { limits: { sign_timeout_ms: 5_000 } });
  const keys = grpcClient(t, KeyServiceClient, service.grpcAddress);
  const page = await unary<ListKeysResponse>((...call) => keys.listKeys({ pageSize: 0, pageToken: '' }, ...call));
  const request = () => ({
    spkiSha256: page.keys[0]?.spkiSha256 ?? Buffer.alloc(0),
    scheme: SignatureScheme.SIGNATURE_SCHEME_ECDSA_SECP256R1_SHA256,
    input: { $case: 'message' as const, value: tls13('server') },
    timeoutUs: 0,
    attemptId: Buffer.alloc(0),
  });
  const socket = await SocketClient.hello(service.webSocket);
  t.teardown(() => socket.close());
  let id = 1;
  const sign = async () => {
    const mine = ++id;
    socket.sign(mine, request());
    const { body } = await socket.answer(mine);
    if (body?.$case !== 'sign') throw new Error(JSON.stringify(body));
    return body;
  };
  const client = grpcClient(t, SigningServiceClient, service.grpcAddress);
  const local = () => unary((...call) => client.sign(request(), ...call), 10_000);
  return { service, change: changer(service), sign, local };
}

/** Changes the configuration file; the result puts back what was there. */
function changer(service: RunningService) {
  return (change: (config: Wrong) => void) => {
    const before = readFileSync(service.configFile);
    const config = JSON.parse(before.toString());
    change(config);
    writeFileSync(service.configFile, JSON.stringify(config));
    return () => writeFileSync(service.configFile, before);
  };
}
