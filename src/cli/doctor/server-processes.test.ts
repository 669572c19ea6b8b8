import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { lookAtServer } from './server-findings.js';
import { findServers, type ServerProcess } from './server-processes.js';

const LIBC = '7f0000000000-7f0000001000 r-xp 00000000 fe:00 1    /usr/lib/libc.so.6';
const PROVIDER = '7f0000002000-7f0000003000 r-xp 00000000 fe:00 2    /usr/lib/ossl-modules/signet.so';
const PRELOAD = '7f0000004000-7f0000005000 r-xp 00000000 fe:00 3    /usr/lib/signet/signet_async.so';
const TALLY = '7f0000006000-7f0000007000 rw-s 00000000 00:01 4    /memfd:signet-async-at-work (deleted)';
const CRYPTO3 = '7f0000008000-7f0000009000 r-xp 00000000 fe:00 5    /nonexistent/libcrypto.so.3';
const CRYPTO11 = '7f0000008000-7f0000009000 r-xp 00000000 fe:00 5    /nonexistent/libcrypto.so.1.1';

const proc = mkdtempSync(join(tmpdir(), 'signet-proc-'));
t.teardown(() => rmSync(proc, { recursive: true }));

interface Fake {
  readonly comm: string;
  readonly title?: string;
  readonly maps: readonly string[];
  readonly paused?: bigint;
  readonly root?: string;
  readonly uid?: number;
  readonly environ?: string;
}

let nextPid = 10;
function fake({ comm, title = comm, maps, paused, root = '/', uid = 0, environ = '' }: Fake): number {
  const pid = nextPid++;
  const folder = join(proc, String(pid));
  mkdirSync(join(folder, 'map_files'), { recursive: true });
  writeFileSync(join(folder, 'comm'), `${comm}\n`);
  writeFileSync(join(folder, 'cmdline'), `${title}\0`);
  writeFileSync(join(folder, 'maps'), `${maps.join('\n')}\n`);
  writeFileSync(join(folder, 'environ'), environ);
  writeFileSync(
    join(folder, 'status'),
    `Name:\t${comm}\nUid:\t0\t${uid}\t0\t0\nGid:\t0\t${uid}\t0\t0\nGroups:\t4 5 \n`,
  );
  symlinkSync(root, join(folder, 'root'));
  if (paused === undefined) return pid;
  const tally = Buffer.alloc(8);
  tally.writeBigUInt64LE(paused);
  writeFileSync(join(folder, 'map_files/7f0000006000-7f0000007000'), tally);
  return pid;
}

function found(pid: number): ServerProcess {
  return findServers(proc).processes.find((one) => one.pid === pid) as ServerProcess;
}

t.test('the maps of a process tell what NGINX has', async (t) => {
  const cases: [readonly string[], bigint | undefined, unknown[]][] = [
    [[LIBC], undefined, [false, false, false, undefined]],
    [[LIBC, PROVIDER], undefined, [true, false, false, undefined]],
    [[LIBC, PROVIDER, PRELOAD], undefined, [true, true, false, undefined]],
    [[LIBC, PROVIDER, PRELOAD, TALLY], 258n, [true, true, true, 258]],
    [[LIBC, PROVIDER, PRELOAD, TALLY], undefined, [true, true, true, undefined]],
  ];
  for (const [maps, paused, expected] of cases) {
    const { provider, preload, atWork, ...rest } = found(
      fake({ comm: 'nginx', title: 'nginx: worker process', maps, ...(paused === undefined ? {} : { paused }) }),
    );
    t.same([provider, preload, atWork, rest.paused], expected);
  }
});

t.test('other programs are left out, and a process that the caller may not look at is counted', async (t) => {
  const pid = fake({ comm: 'bash', maps: [LIBC, PROVIDER] });
  mkdirSync(join(proc, '9000'));
  writeFileSync(join(proc, '9000/comm'), 'haproxy\n');
  const { processes, hidden } = findServers(proc);
  t.notOk(processes.some((one) => one.pid === pid));
  t.equal(hidden, 1);
});

t.test('libcrypto: a server on OpenSSL 1.1, or on none that is shared, is told', async (t) => {
  const old = found(fake({ comm: 'haproxy', maps: [LIBC, CRYPTO11] }));
  t.match(lookAtServer(old, []), [{ check: 'libcrypto', level: 'fault', says: /OpenSSL 1\.1/, remedy: /OpenSSL 3/ }]);
  const none = found(fake({ comm: 'nginx', maps: [LIBC] }));
  t.match(lookAtServer(none, []), [
    { check: 'libcrypto', level: 'fault', says: /no shared libcrypto/, remedy: /shared/ },
  ]);
  const right = found(fake({ comm: 'nginx', maps: [LIBC, CRYPTO3, PROVIDER], uid: 33 }));
  t.match(lookAtServer(right, [])[0], { check: 'libcrypto', level: 'ok' });
});

t.test('the libcrypto that a server links says its version itself', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'signet-root-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'nonexistent'));
  writeFileSync(join(root, 'nonexistent/libcrypto.so.3'), 'ELF…OpenSSL 3.0.22 25 Aug 2026\0…');
  const server = found(fake({ comm: 'apache2', maps: [LIBC, CRYPTO3], root }));
  t.same(server.libcrypto, { path: '/nonexistent/libcrypto.so.3', version: 'OpenSSL 3.0.22' });
});

t.test('provider-loaded: a server without it is told how to get it', async (t) => {
  const server = found(fake({ comm: 'apache2', maps: [LIBC, CRYPTO3], environ: 'A=1\0OPENSSL_CONF=/etc/x.cnf\0' }));
  t.equal(server.opensslConf, '/etc/x.cnf');
  const [, finding] = lookAtServer(server, []);
  t.match(finding, {
    check: 'provider-loaded',
    level: 'warning',
    says: '/etc/x.cnf',
    remedy: '"signet config apache"',
  });
});

t.test('chroot: a server that cannot see the socket is told', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'signet-chroot-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const server = found(fake({ comm: 'haproxy', maps: [LIBC, CRYPTO3, PROVIDER], root, uid: 4_000 }));
  const socket = '/run/signet/web.sock';
  const without = lookAtServer(server, [socket], proc).find(({ check }) => check === 'chroot');
  t.match(without, { level: 'fault', says: root, remedy: 'BindPaths' });
  mkdirSync(join(root, 'run/signet'), { recursive: true });
  writeFileSync(join(root, socket), '', { mode: 0o600 });
  const within = lookAtServer(server, [socket], proc);
  t.notOk(within.some(({ check }) => check === 'chroot'));
  t.match(within.at(-1), { check: 'socket-mode', level: 'fault' });
});
