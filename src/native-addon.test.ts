import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import timers from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import { test } from 'tap';
import { createToken } from '../test/fixtures/softhsm-token.js';
import { busyPollEvents, duplicate, openModuleDeepbind, peerCredentials } from './native-addon.js';

test('the peer of a Unix socket is named by its uid, gid and pid', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'signet-addon-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const server = createServer().listen(join(folder, 'socket'));
  await once(server, 'listening');
  const client = connect(join(folder, 'socket'));
  const [accepted] = (await once(server, 'connection')) as [Socket & { _handle: { fd: number } }];
  const peer = peerCredentials(accepted._handle.fd);
  t.same(peer, { uid: process.getuid?.(), gid: process.getgid?.(), pid: process.pid });
  client.destroy();
  accepted.destroy();
  server.close();
});

test('what is no connected socket and no descriptor is refused with the reason', async (t) => {
  const standardInput = 1_000_000;
  t.throws(() => peerCredentials(standardInput), /SO_PEERCRED: Bad file descriptor/);
  t.throws(() => peerCredentials('x' as unknown as number), /expected a file descriptor/);
});

test('a descriptor that is no open one is not duplicated', async (t) => {
  t.throws(() => duplicate(1_000_000), /F_DUPFD_CLOEXEC: Bad file descriptor/);
  t.throws(() => duplicate('x' as unknown as number), /expected a file descriptor/);
});

test('a module that is not there is refused with its path', async (t) => {
  t.throws(() => openModuleDeepbind('/nonexistent/module.so'), /\/nonexistent\/module\.so/);
  t.throws(() => openModuleDeepbind(7 as unknown as string), /expected the path of a PKCS#11 module/);
  t.throws(() => openModuleDeepbind('x'.repeat(5000)), /expected the path of a PKCS#11 module/);
});

test('a module opened with DEEPBIND takes no symbol from node, one opened by pkcs11js alone takes many', async (t) => {
  const token = createToken();
  t.teardown(() => token.remove());
  const load = (deepbind: boolean) =>
    bindingsToNode(token.folder, token.conf, [
      `import pkcs11js from 'pkcs11js';`,
      deepbind
        ? `import { openModuleDeepbind } from './src/native-addon.ts'; openModuleDeepbind('${token.module}');`
        : '',
      `const p11 = new pkcs11js.PKCS11(); p11.load('${token.module}'); p11.C_Initialize({ flags: 2 });`,
      `p11.C_GetSlotList(true); p11.C_Finalize();`,
    ]);
  t.equal(load(true), 0);
  t.ok(load(false) > 10, 'without it, they bind to the OpenSSL inside node');
});

test('a process without core dumps says so to the kernel', async (t) => {
  const program = [
    `import { disableCoreDumps } from './src/native-addon.ts';`,
    `import { readFileSync } from 'node:fs';`,
    `disableCoreDumps();`,
    `console.log(readFileSync('/proc/self/limits', 'utf8').match(/Max core file size +(\\S+) +(\\S+)/).slice(1).join());`,
  ];
  t.equal(execFileSync(process.execPath, nodeArguments(program), { cwd: ROOT }).toString().trim(), '0,0');
});

const ROOT = fileURLToPath(new URL('..', import.meta.url));

function nodeArguments(program: string[]): string[] {
  return [`--import=${import.meta.resolve('tsx')}`, '--input-type=module', '-e', program.join('\n')];
}

/** How many symbols of SoftHSM and the OpenSSL that it brings are bound to the node binary (ld.so(8), LD_DEBUG=bindings). */
function bindingsToNode(folder: string, conf: string, program: string[]): number {
  const output = join(folder, 'bindings');
  const env = { PATH: process.env.PATH, SOFTHSM2_CONF: conf, LD_DEBUG: 'bindings', LD_DEBUG_OUTPUT: output };
  const { status, stderr } = spawnSync(process.execPath, nodeArguments(program), { cwd: ROOT, env });
  if (status !== 0) throw new Error(stderr.toString());
  let count = 0;
  for (const file of readdirSync(folder).filter((name) => name.startsWith('bindings.'))) {
    const text = readFileSync(join(folder, file), 'utf8');
    for (const line of text.split('\n')) {
      if (/binding file \S*(libsofthsm2|libcrypto)\S* \[0\] to \S*node \[0\]/.test(line)) count++;
    }
    rmSync(join(folder, file));
  }
  return count;
}

test('an event loop that looks before it sleeps handles what comes, keeps its timers, and sleeps when nothing comes', async (t) => {
  busyPollEvents(1_000);
  t.teardown(() => busyPollEvents(0));
  const { port1, port2 } = new MessageChannel();
  port2.on('message', (n: number) => port2.postMessage(n));
  for (let n = 0; n < 100; n++) {
    port1.postMessage(n);
    t.equal((await once(port1, 'message'))[0], n);
  }
  port1.close();
  const [begunMs, cpu] = [performance.now(), process.cpuUsage()];
  await timers.setTimeout(300);
  const [tookMs, usedUs] = [performance.now() - begunMs, process.cpuUsage(cpu)];
  t.ok(tookMs >= 299, 'the timer');
  t.ok(usedUs.user + usedUs.system < 100_000, 'the wait was slept through');
  t.throws(() => busyPollEvents(-1), /expected a number of microseconds/);
});
