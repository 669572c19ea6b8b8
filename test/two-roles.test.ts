import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import t from 'tap';
import { peerCredentials } from '../src/native-addon.js';
import { startSocketTransport } from '../src/transport/socket/socket-transport.js';
import { FakeSigning } from './fixtures/fake-signing.js';
import { limitsWith } from './fixtures/limits.js';
import { framed } from './fixtures/socket-client.js';

const asRoot = { skip: process.getuid?.() === 0 ? false : 'only root runs programs as other users' };
const NOBODY = 65_534;

/** Says Hello, prints its pid when it has been answered. */
const CALLER = `
  const socket = require('net').connect(process.argv[1]);
  socket.end(Buffer.from(process.argv[2], 'hex')).resume().on('close', () => console.log(process.pid));
`;

t.test('a caller is its socket and the user that the kernel says it is', asRoot, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'signet-roles-'));
  chmodSync(folder, 0o755);
  const [web, batch] = [join(folder, 'web.sock'), join(folder, 'batch.sock')];
  const signing = new FakeSigning();
  const transport = await startSocketTransport({
    sockets: [
      { path: web, mode: '0666', role: 'web' },
      { path: batch, mode: '0660', role: 'batch', owner: 'root', group: NOBODY },
    ],
    limits: limitsWith(),
    signing,
    log: pino({ level: 'silent' }),
    peerCredentials,
  });
  t.teardown(() => {
    transport.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const hello = framed({ id: 1, body: { $case: 'hello', value: { version: 1, agent: '' } } }).toString('hex');
  const call = (path: string, uid: number, gid: number) =>
    promisify(execFile)(process.execPath, ['-e', CALLER, path, hello], { uid, gid }).then(({ stdout }) =>
      Number(stdout),
    );
  const pids = [await call(web, 0, 0), await call(web, NOBODY, 12), await call(batch, 13, NOBODY)];
  t.same(signing.callers, [
    { kind: 'unix', role: 'web', uid: 0, gid: 0, pid: pids[0] },
    { kind: 'unix', role: 'web', uid: NOBODY, gid: 12, pid: pids[1] },
    { kind: 'unix', role: 'batch', uid: 13, gid: NOBODY, pid: pids[2] },
  ]);
  await t.rejects(call(batch, 13, 13), /EACCES/);
});
