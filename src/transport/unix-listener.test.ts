import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { listenUnix } from './unix-listener.js';

function folder(t: Test): string {
  const made = mkdtempSync(join(tmpdir(), 'signet-listen-'));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** Listens and greets every connection with a name. */
function greeter(path: string, name: string, mode = '0600') {
  return listenUnix({ path, mode }, (socket) => socket.end(name));
}

async function greeting(path: string): Promise<string> {
  const socket = connect(path);
  const [chunk] = await once(socket, 'data');
  return String(chunk);
}

t.test('a socket has the mode of the configuration and no other file is left beside it', async (t) => {
  const made = folder(t);
  const path = join(made, 'web.sock');
  const listener = await greeter(path, 'a', '0666');
  t.equal(listener.address, path);
  t.equal(lstatSync(path).mode & 0o777, 0o666);
  t.same(readdirSync(made), ['web.sock']);
  t.equal(await greeting(path), 'a');
  listener.close();
  t.same(readdirSync(made), []);
});

t.test('the mask of the process is as it was before', async (t) => {
  const before = process.umask();
  const listener = await greeter(join(folder(t), 's'), 'a');
  t.equal(process.umask(), before);
  listener.close();
});

t.test('a successor takes the path over, and its predecessor leaves it there when it closes', async (t) => {
  const path = join(folder(t), 'web.sock');
  const old = await greeter(path, 'old');
  const successor = await greeter(path, 'new');
  t.equal(await greeting(path), 'new');
  old.close();
  t.equal(await greeting(path), 'new');
  successor.close();
  t.throws(() => lstatSync(path));
});

t.test('the socket file of a dead service is replaced', async (t) => {
  const path = join(folder(t), 'web.sock');
  const script = 'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))';
  t.throws(() => execFileSync(process.execPath, ['-e', script, path], { stdio: 'ignore' }));
  t.ok(lstatSync(path).isSocket());
  const listener = await greeter(path, 'alive');
  t.equal(await greeting(path), 'alive');
  listener.close();
});

t.test('a file that is no socket is not replaced', async (t) => {
  const path = join(folder(t), 'precious');
  writeFileSync(path, 'x');
  await t.rejects(greeter(path, 'a'), { code: 'invalid_argument', message: /another kind of file is there/ });
  t.ok(lstatSync(path).isFile());
});

t.test('what the configuration gets wrong is said', async (t) => {
  const made = folder(t);
  await t.rejects(greeter(join(made, 'x'.repeat(120)), 'a'), {
    message: /expected a socket path of at most 107 bytes/,
  });
  await t.rejects(greeter(join(made, 'none', 's'), 'a'), { message: /expected a folder .* came$/ });
  const path = join(made, 's');
  await t.rejects(
    listenUnix({ path, mode: '0600', group: 'no-such-group' }, () => undefined),
    { message: /expected the name or number of a group; "no-such-group" came/ },
  );
  t.same(readdirSync(made), []);
});

const asRoot = { skip: process.getuid?.() === 0 ? false : 'only root gives files away' };

t.test('owner and group may be names or numbers', asRoot, async (t) => {
  const path = join(folder(t), 's');
  const byName = await listenUnix({ path, mode: '0660', owner: 'daemon', group: 'daemon' }, () => undefined);
  const named = lstatSync(path);
  byName.close();
  const byNumber = await listenUnix({ path, mode: '0660', owner: named.uid, group: `${named.gid}` }, () => undefined);
  const numbered = lstatSync(path);
  byNumber.close();
  t.not(named.uid, 0);
  t.same([numbered.uid, numbered.gid], [named.uid, named.gid]);
});

t.test('a path that another program listens on is not lost when binding fails', async (t) => {
  const made = folder(t);
  const path = join(made, 's');
  const other = createServer((socket) => socket.end('other')).listen(path);
  await once(other, 'listening');
  await t.rejects(listenUnix({ path, mode: '0600', owner: 'no-such-user' }, () => undefined));
  t.equal(await greeting(path), 'other');
  other.close();
});
