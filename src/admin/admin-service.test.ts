import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { grpcClient, unary } from '../../test/fixtures/grpc-client.js';
import { limitsWith } from '../../test/fixtures/limits.js';
import { SignetError } from '../errors.js';
import type { GetStatusResponse } from '../gen/signet/v1/admin.js';
import { AdminServiceClient } from '../gen/signet/v1/admin_service.js';
import { type Administration, startAdminTransport } from './admin-service.js';

const STATUS: GetStatusResponse = {
  version: '1.2.3',
  pid: 7,
  uptimeS: 8,
  serving: true,
  draining: false,
  queued: 1,
  inFlight: 2,
  signatures: 3,
  errors: 4,
  signers: [{ token: 't', pid: 9, state: 2, inFlight: 1, signatures: 3, restarts: 0, lastError: '', recoveries: 0 }],
  keys: [],
  tokens: [{ name: 't', state: 5, reason: 'wrong PIN', breakerOpenings: 0 }],
};

async function start(t: Test, changes: Partial<Administration> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'signet-admin-'));
  const path = join(folder, 'admin.sock');
  const done: string[] = [];
  const administration: Administration = {
    status: () => STATUS,
    setKeyState: async (spki, disabled) => void done.push(`${spki} ${disabled}`),
    setTokenState: (token, drained) => void done.push(`${token} ${drained}`),
    unlatchToken: (token) => token === 'latched',
    refreshKeys: async () => 5,
    reload: () => ({ problems: ['signet.yaml:3:4: wrong'], changed: [] }),
    drain: () => void done.push('drain'),
    ...changes,
  };
  const transport = await startAdminTransport({
    admin: { path, mode: '0600' },
    limits: limitsWith(),
    administration,
    log: pino({ level: 'silent' }),
    peerCredentials: () => ({ uid: 0, gid: 0, pid: 1 }),
  });
  const client = grpcClient(t, AdminServiceClient, `unix:${path}`);
  t.teardown(() => {
    transport.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { path, client, done, transport };
}

t.test('an administrator is told the status, on a socket that only the owner may open', async (t) => {
  const { client, path } = await start(t);
  t.same(await unary((...call) => client.getStatus({}, ...call)), STATUS);
  t.equal(statSync(path).mode & 0o777, 0o600);
});

t.test('a key is disabled by its identity, and the keys are looked for', async (t) => {
  const { client, done } = await start(t);
  const spkiSha256 = Buffer.alloc(32, 0xab);
  await unary((...call) => client.setKeyState({ spkiSha256, disabled: true }, ...call));
  t.same(done, [`${'ab'.repeat(32)} true`]);
  t.same(await unary((...call) => client.refreshKeys({}, ...call)), { keys: 5 });
  await t.rejects(
    unary((...call) => client.setKeyState({ spkiSha256: Buffer.alloc(3), disabled: true }, ...call)),
    { code: status.INVALID_ARGUMENT, details: /expected spki_sha256 of 32 bytes; 3 came/ },
  );
});

t.test('a token is drained, put back and unlatched by its name', async (t) => {
  const { client, done } = await start(t);
  await unary((...call) => client.setTokenState({ token: 'main', drained: true }, ...call));
  await unary((...call) => client.setTokenState({ token: 'main', drained: false }, ...call));
  t.same(done, ['main true', 'main false']);
  t.same(await unary((...call) => client.unlatchToken({ token: 'latched' }, ...call)), { wasLatched: true });
  t.same(await unary((...call) => client.unlatchToken({ token: 'main' }, ...call)), { wasLatched: false });
});

t.test('an administrator who reloads is told each problem of the configuration', async (t) => {
  const { client } = await start(t);
  t.same(await unary((...call) => client.reload({}, ...call)), { problems: ['signet.yaml:3:4: wrong'], changed: [] });
});

t.test('the service drains after the administrator was answered', async (t) => {
  const { client, done } = await start(t);
  t.same(await unary((...call) => client.drain({}, ...call)), {});
  t.same(done, ['drain']);
});

t.test('an administrator reads why something failed; what is unknown stays in the log', async (t) => {
  const { client } = await start(t, {
    setKeyState: () => Promise.reject(new SignetError('unavailable', 'the disk is full')),
    refreshKeys: () => Promise.reject(new Error('a secret path')),
  });
  const spkiSha256 = Buffer.alloc(32);
  await t.rejects(
    unary((...call) => client.setKeyState({ spkiSha256, disabled: true }, ...call)),
    { code: status.UNAVAILABLE, details: 'the disk is full' },
  );
  await t.rejects(
    unary((...call) => client.refreshKeys({}, ...call)),
    { code: status.INTERNAL, details: /^internal error/ },
  );
});
