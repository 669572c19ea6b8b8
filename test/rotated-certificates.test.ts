import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import type { GetStatusResponse } from '../src/gen/signet/v1/admin.js';
import { AdminServiceClient } from '../src/gen/signet/v1/admin_service.js';
import { SignatureScheme, type SignRequest } from '../src/gen/signet/v1/sign.js';
import { SigningServiceClient } from '../src/gen/signet/v1/signing_service.js';
import { type CertificateFiles, TestAuthority } from './fixtures/certificates.js';
import { grpcClient, unary } from './fixtures/grpc-client.js';
import { folder } from './fixtures/grpc-transport.js';
import { type RunningService, startService } from './fixtures/running-service.js';
import { createToken } from './fixtures/softhsm-token.js';
import { type SteadyLoad, steadyLoad } from './fixtures/steady-load.js';
import { until } from './fixtures/until.js';
import { recordGoal } from './reliability/measured-goal.js';
import { tls13 } from './tls-messages.js';

const HOST = [{ type: 'dns' as const, value: 'localhost' }];
const CLIENT = [{ type: 'dns' as const, value: 'client.example.com' }];
/** Enough that new connections and calls on old ones fall on both sides of every change. */
const CALLS = 30;

t.test('F10: certificate and authority are rotated under load and no call fails', async (t) => {
  const site = await startSite(t);
  const { load, reload, show, trust, old, next } = site;
  await load.more(CALLS);

  t.test('a half-written or a mismatched file changes nothing and is told with its place', async (t) => {
    const whole = readFileSync(next.own.certificateFile);
    const wrong: Record<string, () => void> = {
      'certificate_file: expected whole certificates': () => show(next.own, whole.subarray(0, whole.length / 2)),
      'certificate_file: expected whole': () => show(next.own, Buffer.alloc(0)),
      'key_file: expected the key of': () => show({ ...next.own, keyFile: old.own.keyFile }),
      'client_ca_file: expected whole': () => trust(bundle(old, next).subarray(0, -200)),
      'client_ca_file: .* one that begins within a line': () => trust(Buffer.concat([whole, whole])),
    };
    for (const [problem, write] of Object.entries(wrong)) {
      write();
      const { problems } = await reload();
      t.equal(problems.length, 1);
      t.match(problems[0], new RegExp(`^signet\\.json:1:\\d+: grpc\\.tcp\\[0\\]\\.${problem}`));
      await load.more(CALLS);
      show(old.own);
      trust(readFileSync(old.caFile));
    }
    t.same((await reload()).problems, [], 'and what is put right is taken');
  });

  t.test('new authority, new certificate, and the old authority goes', async (t) => {
    trust(bundle(old, next));
    t.same((await reload()).problems, []);
    await load.more(CALLS);
    show(next.own);
    t.same((await reload()).problems, []);
    await load.more(CALLS);
    site.client = next.client;
    // Whoever began with the old one has a connection, or an answer, before its authority goes.
    await until(() => !site.callingWith.includes(old.client));
    await load.more(CALLS);
    trust(readFileSync(next.caFile));
    t.same((await reload()).problems, []);
    await load.more(CALLS);
    await t.rejects(site.callOnce(old.client), 'a new connection with a certificate of the old authority');
    await site.callOnce(next.client);
    await t.rejects(site.callOnce(next.client, old.caFile), 'and the old certificate is shown to nobody');
  });

  t.teardown(() => load.stop());
  t.test('no call failed', async (t) => {
    await load.stop();
    t.same(load.failures, []);
    t.ok(load.answered >= 8 * CALLS, `${load.answered} calls`);
    recordGoal({
      id: 'F10',
      goal: 'calls that failed while certificates and authorities were rotated',
      measured: load.failures.length,
      unit: '',
      must: 'at most',
      bound: 0,
      of: `${load.answered} calls, 3 rotations, 5 files that are wrong`,
    });
  });
});

interface Identity {
  readonly caFile: string;
  readonly own: CertificateFiles;
  readonly client: CertificateFiles;
}

/** A service on TCP with files that the test changes, and callers: two that stay connected, two that connect for every call. */
async function startSite(t: Test) {
  const files = folder(t);
  const [old, next] = [await identity(files, 'old'), await identity(files, 'next')];
  const trusted = join(files, 'both.pem');
  writeFileSync(trusted, bundle(old, next));
  const inUse = { certificate_file: 'tls.crt', key_file: 'tls.key', client_ca_file: 'ca.crt' };
  const at = (name: string) => join(files, name);
  const show = (own: CertificateFiles, certificate = readFileSync(own.certificateFile)) => {
    writeFileSync(at(inUse.certificate_file), certificate);
    copyFileSync(own.keyFile, at(inUse.key_file));
  };
  const trust = (authorities: Buffer) => writeFileSync(at(inUse.client_ca_file), authorities);
  show(old.own);
  trust(readFileSync(old.caFile));
  const service = await startTcpService(t, files, inUse);
  const { addresses } = await service.logged('serving');
  const address = (addresses as string[]).find((each) => each.startsWith('localhost:')) ?? '';
  const connect = (client: CertificateFiles, caFile = trusted) => connectTo(address, client, caFile);
  const staying = [connect(old.client), connect(old.client)];
  const site = {
    client: old.client,
    /** What the callers that connect for every call use just now. */
    callingWith: [] as CertificateFiles[],
    callOnce: (client: CertificateFiles, caFile?: string) => once(connect(client, caFile)),
  };
  const connecting = async () => {
    const { client } = site;
    site.callingWith.push(client);
    await site.callOnce(client).finally(() => site.callingWith.splice(site.callingWith.indexOf(client), 1));
  };
  t.teardown(() => {
    for (const client of staying) client.close();
  });
  const load: SteadyLoad = steadyLoad([...staying.map((client) => () => sign(client)), connecting, connecting]);
  const admin = grpcClient(t, AdminServiceClient, service.adminAddress);
  const reload = () => unary<{ problems: string[] }>((...call) => admin.reload({}, ...call));
  return Object.assign(site, { load, reload, show, trust, old, next });
}

function bundle(...identities: readonly Identity[]): Buffer {
  return Buffer.from(identities.map(({ caFile }) => `${readFileSync(caFile, 'utf8')}\n`).join(''));
}

async function identity(files: string, name: string): Promise<Identity> {
  const authority = await TestAuthority.create(files, name);
  const own = await authority.issue(`${name}-service`, 'CN=service', HOST);
  return { caFile: authority.caFile, own, client: await authority.issue(`${name}-client`, 'CN=client', CLIENT) };
}

let key: Buffer;

async function startTcpService(t: Test, files: string, inUse: Record<string, string>): Promise<RunningService> {
  const token = createToken({ keys: [{ label: 'www', type: 'p256' }] });
  t.teardown(() => token.remove());
  const names = Object.entries(inUse).map(([option, name]) => [option, join(files, name)]);
  const service = await startService(t, token, {
    grpcTcp: [{ host: 'localhost', port: 0, ...Object.fromEntries(names) }],
    principals: [{ name: 'client', certificate: 'DNS:client.example.com' }],
    grants: [{ principal: 'client', keys: ['label:www'], uses: ['tls13-server'] }],
  });
  const admin = grpcClient(t, AdminServiceClient, service.adminAddress);
  const { keys } = await unary<GetStatusResponse>((...call) => admin.getStatus({}, ...call));
  key = keys[0]?.key?.spkiSha256 ?? Buffer.alloc(0);
  return service;
}

function connectTo(address: string, client: CertificateFiles, caFile: string): SigningServiceClient {
  const channel = credentials.createSsl(
    readFileSync(caFile),
    readFileSync(client.keyFile),
    readFileSync(client.certificateFile),
  );
  return new SigningServiceClient(address, channel, { 'grpc.use_local_subchannel_pool': 1 });
}

function sign(client: SigningServiceClient): Promise<unknown> {
  const request: SignRequest = {
    spkiSha256: key,
    scheme: SignatureScheme.SIGNATURE_SCHEME_ECDSA_SECP256R1_SHA256,
    input: { $case: 'message', value: tls13('server') },
    timeoutUs: 0,
    attemptId: Buffer.alloc(0),
  };
  return unary((...call) => client.sign(request, ...call), 10_000);
}

async function once(client: SigningServiceClient): Promise<unknown> {
  try {
    return await sign(client);
  } finally {
    client.close();
  }
}
