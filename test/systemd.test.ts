import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { GetStatusResponse } from '../src/gen/signet/v1/admin.js';
import { AdminServiceClient } from '../src/gen/signet/v1/admin_service.js';
import { KeyServiceClient } from '../src/gen/signet/v1/key_service.js';
import type { ListKeysResponse } from '../src/gen/signet/v1/keys.js';
import { grpcClient, unary } from './fixtures/grpc-client.js';
import { startService } from './fixtures/running-service.js';
import { SocketClient } from './fixtures/socket-client.js';
import { createToken } from './fixtures/softhsm-token.js';
import { notifySocket, passingSockets } from './fixtures/systemd.js';
import { until } from './fixtures/until.js';

t.test('a service on a token', async (t) => {
  const token = createToken({ keys: [{ label: 'p256', type: 'p256' }] });
  t.teardown(() => token.remove());

  t.test('systemd hears when it serves, lives, reloads and ends', async (t) => {
    const socket = await notifySocket(t, join(folderOf(t), 'notify'));
    const environment = { NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '200000' };
    const service = await startService(t, token, { environment });
    await socket.said('READY=1');
    await until(() => socket.datagrams.filter(([word]) => word === 'WATCHDOG=1').length >= 3);
    service.kill('SIGHUP');
    await socket.said('RELOADING=1');
    service.kill('SIGTERM');
    await socket.said('STOPPING=1');
    t.equal(await service.exit(), 0);
    const states = socket.datagrams.map(([word]) => word).filter((word) => word !== 'WATCHDOG=1');
    t.same(states, ['READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1']);
  });

  t.test('sockets that systemd passes are served and left where they are', async (t) => {
    const folder = folderOf(t);
    const at = (name: string) => join(folder, `${name}.sock`);
    const more = {
      sockets: [{ path: at('web'), role: 'web', fd_name: 'signet.socket' }],
      grpc: { unix: [{ path: at('grpc'), role: 'local', fd_name: 'signet.socket' }] },
      admin: { path: at('admin'), fd_name: 'admin' },
    };
    const launcher = passingSockets([
      ['signet.socket', at('grpc')],
      ['admin', at('admin')],
      ['signet.socket', at('web')],
      ['stray', at('stray')],
    ]);
    const service = await startService(t, token, { more, launcher });
    t.match(await service.logged('a passed socket has no place in the configuration'), { socket: { name: 'stray' } });

    const keys = grpcClient(t, KeyServiceClient, `unix:${at('grpc')}`);
    const [key] = (await unary<ListKeysResponse>((...call) => keys.listKeys({ pageSize: 0, pageToken: '' }, ...call)))
      .keys;
    const client = await SocketClient.hello(at('web'));
    client.sign(2, { spkiSha256: key?.spkiSha256 as Buffer });
    t.equal((await client.answer(2)).body?.$case, 'sign');
    const [attempt] = service.attempts();
    t.match(attempt?.caller, new RegExp(`pid=${process.pid}`), 'the caller is known as on a socket of our own');
    const admin = grpcClient(t, AdminServiceClient, `unix:${at('admin')}`);
    t.equal((await unary<GetStatusResponse>((...call) => admin.getStatus({}, ...call))).pid, service.pid);

    service.kill('SIGTERM');
    t.equal(await service.exit(), 0);
    for (const name of ['web', 'grpc', 'admin']) t.ok(existsSync(at(name)), `${name} is systemd's`);
  });

  t.test('a service that is not passed what its configuration says does not start', async (t) => {
    const path = join(folderOf(t), 'web.sock');
    const started = startService(t, token, { more: { sockets: [{ path, role: 'web', fd_name: 'web' }] } });
    await t.rejects(started, { message: /expected systemd to pass the socket web at .* none came/ });
  });

  t.test('neither the front nor a signer leaves a core file', async (t) => {
    const service = await startService(t, token);
    const signer = (await service.logged('signer is ready')).signer as number;
    for (const pid of [service.pid, signer]) {
      t.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max core file size +0 +0 /m);
    }
  });
});

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'signet-systemd-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}
