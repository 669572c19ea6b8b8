import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { ErrorCode, SignatureScheme, type SignRequest } from '../src/gen/signet/v1/sign.js';
import { SigningServiceClient } from '../src/gen/signet/v1/signing_service.js';
import { signet } from './fixtures/command-line.js';
import { grpcClient, unary } from './fixtures/grpc-client.js';
import { knownKey } from './fixtures/known-key.js';
import { startService } from './fixtures/running-service.js';
import { SocketClient } from './fixtures/socket-client.js';
import { createToken } from './fixtures/softhsm-token.js';
import { tls12Server, tls13 } from './tls-messages.js';

const TO_COME = '2199-01-01T00:00:00Z';
const PAST = '2020-01-01T00:00:00Z';

t.test('groups, marks, rates, expiry and duplicates hold on the wire, and the record says how', async (t) => {
  const { service, keys, asWeb, asLocal } = await startSite(t);
  const { www, api, modern, unknown } = keys;
  t.equal(await asWeb(request(api, tls13('server'))), 'sign', 'a grant that will expire');
  for (const ask of [asWeb, asLocal]) t.equal(await ask(request(www, tls13('server'))), 'sign', 'as one of a group');
  t.equal(await asWeb(request(modern, tls13('server'))), 'sign');
  const denied = await asWeb(request(unknown, tls13('server')));
  t.match(denied, { code: 'ERROR_CODE_PERMISSION_DENIED' });
  t.same(await asWeb(request(modern, tls12Server('x25519'))), denied, 'a key marked for TLS 1.3 only');
  t.same(await asWeb(request(www, tls13('client'))), denied, 'another use');
  t.same(await asWeb(digest(www)), denied, 'a digest');

  const message = tls13('server');
  const first = request(www, message);
  t.equal(await asWeb(first), 'sign');
  t.equal(await asWeb(first), 'sign', 'a retry keeps its attempt id');
  t.match(await asWeb(request(www, message)), { message: /was signed before under another attempt_id/ });

  const burstMs = performance.now();
  const burst = await Promise.all([1, 2, 3].map(() => asLocal(digest(api))));
  // For each second that it took, there is one more.
  const most = Math.floor(2 + (performance.now() - burstMs) / 1000);
  const refused = burst.filter((answer) => answer !== 'sign');
  t.ok(3 - refused.length >= 2 && 3 - refused.length <= most, `a burst of 2: ${burst}`);
  for (const answer of refused) t.match(answer, /1 signatures per second and 2 at once; retry in \d+ ms/);

  writeFileSync(service.configFile, readFileSync(service.configFile, 'utf8').replace(TO_COME, PAST));
  t.match(await signet(['--config', service.configFile, 'reload']), { code: 0 });
  t.same(await asWeb(request(api, tls13('server'))), denied, 'the grant has expired, on a connection that is open');

  const lines = service.attempts();
  t.same(
    lines.filter(({ principal }) => principal === 'web').map(({ outcome, use }) => (outcome === 'ok' ? use : outcome)),
    [
      ...Array(3).fill('tls13-server'),
      ...Array(4).fill('permission_denied'),
      ...Array(2).fill('tls13-server'),
      ...Array(2).fill('permission_denied'),
    ],
  );
  const serving = await service.logged('serving');
  const metrics = (serving.addresses as string[]).find((address) => address.startsWith('http'));
  const scrape = await (await fetch(metrics as string)).text();
  t.match(scrape, 'signet_duplicate_requests_total{answer="refused"} 1\n');
  t.match(scrape, `signet_quota_refusals_total ${refused.length}\n`);
});

/** Keys of a token and one that it does not have, grants of every kind, and a caller on each transport. */
async function startSite(t: Test) {
  const [www, api, modern, unknown] = [knownKey(), knownKey(), knownKey(), knownKey()];
  const token = createToken({
    keys: [
      { label: 'www', pem: www.pem },
      { label: 'api', pem: api.pem },
      { label: 'modern', pem: modern.pem },
    ],
  });
  t.teardown(() => token.remove());
  const service = await startService(t, token, {
    more: {
      principal_groups: [{ name: 'hosts', members: ['web', 'local'] }],
      key_groups: [{ name: 'public', keys: ['label:www', `spki:${modern.spkiSha256.toString('hex')}`] }],
      keys: [{ key: 'label:modern', tls13_only: true }],
      metrics: { port: 0 },
    },
    grants: [
      {
        principal: 'group:hosts',
        keys: ['group:public'],
        uses: ['tls13-server', 'tls12-server'],
        duplicates: 'refuse',
      },
      { principal: 'local', keys: ['label:api'], uses: ['digest'], rate_per_s: 1, burst: 2 },
      { principal: 'web', keys: ['label:api'], uses: ['tls13-server'], expires: TO_COME },
    ],
  });
  const client = await SocketClient.hello(service.webSocket);
  t.teardown(() => client.close());
  let id = 1;
  const asWeb = async (request: SignRequest) => {
    client.sign(++id, request);
    const { body } = await client.answer(id);
    return body?.$case === 'error' ? { code: ErrorCode[body.value.code], message: body.value.message } : body?.$case;
  };
  const signing = grpcClient(t, SigningServiceClient, service.grpcAddress);
  const asLocal = (request: SignRequest) =>
    unary((...call) => signing.sign(request, ...call)).then(
      () => 'sign',
      (error: { details: string }) => error.details,
    );
  return { service, keys: { www, api, modern, unknown }, asWeb, asLocal };
}

type Key = ReturnType<typeof knownKey>;

/** An attempt of its own. */
function request({ spkiSha256 }: Key, message: Buffer): SignRequest {
  return {
    spkiSha256,
    scheme: SignatureScheme.SIGNATURE_SCHEME_ECDSA_SECP256R1_SHA256,
    input: { $case: 'message', value: message },
    timeoutUs: 5_000_000,
    attemptId: randomBytes(16),
  };
}

function digest(key: Key): SignRequest {
  const value = createHash('sha256').update(randomBytes(8)).digest();
  return { ...request(key, Buffer.alloc(0)), input: { $case: 'digest', value } };
}
