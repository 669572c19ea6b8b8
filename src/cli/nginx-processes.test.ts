import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { signet } from '../../test/fixtures/command-line.js';
import { findNginx } from './nginx-processes.js';

const LIBC = '7f0000000000-7f0000001000 r-xp 00000000 fe:00 1    /usr/lib/libc.so.6';
const PROVIDER = '7f0000002000-7f0000003000 r-xp 00000000 fe:00 2    /usr/lib/ossl-modules/signet.so';
const PRELOAD = '7f0000004000-7f0000005000 r-xp 00000000 fe:00 3    /usr/lib/signet/signet_async.so';
const TALLY = '7f0000006000-7f0000007000 rw-s 00000000 00:01 4    /memfd:signet-async-at-work (deleted)';

const proc = mkdtempSync(join(tmpdir(), 'signet-proc-'));
t.teardown(() => rmSync(proc, { recursive: true }));

function process(pid: number, comm: string, title: string, maps: readonly string[], paused?: bigint): void {
  mkdirSync(join(proc, String(pid), 'map_files'), { recursive: true });
  writeFileSync(join(proc, String(pid), 'comm'), `${comm}\n`);
  writeFileSync(join(proc, String(pid), 'cmdline'), `${title}\0`);
  writeFileSync(join(proc, String(pid), 'maps'), `${maps.join('\n')}\n`);
  if (paused === undefined) return;
  const tally = Buffer.alloc(8);
  tally.writeBigUInt64LE(paused);
  writeFileSync(join(proc, String(pid), 'map_files/7f0000006000-7f0000007000'), tally);
}

t.test('the maps of a process tell what NGINX has', async (t) => {
  process(10, 'nginx', 'nginx: worker process', [LIBC]);
  process(11, 'nginx', 'nginx: worker process', [LIBC, PROVIDER]);
  process(12, 'nginx', 'nginx: worker process', [LIBC, PROVIDER, PRELOAD]);
  process(13, 'nginx', 'nginx: worker process', [LIBC, PROVIDER, PRELOAD, TALLY], 258n);
  process(14, 'nginx', 'nginx: worker process', [LIBC, PROVIDER, PRELOAD, TALLY]);
  process(15, 'bash', 'bash', [LIBC, PROVIDER, PRELOAD]);
  const { processes } = findNginx(proc);
  t.same(
    processes.map(({ pid, provider, preload, atWork, paused }) => [pid, provider, preload, atWork, paused]),
    [
      [10, false, false, false, undefined],
      [11, true, false, false, undefined],
      [12, true, true, false, undefined],
      [13, true, true, true, 258],
      [14, true, true, true, undefined],
    ],
  );
});

t.test('a process that the caller may not look at is counted', async (t) => {
  mkdirSync(join(proc, '20'));
  writeFileSync(join(proc, '20/comm'), 'nginx\n');
  t.equal(findNginx(proc).hidden, 1);
});

t.test('the drop-in has the environment, and nginx.conf its lines', async (t) => {
  const plain = await signet(['config', 'nginx', '--openssl-conf', '/etc/a b%.cnf']);
  t.equal(plain.code, 0);
  t.match(plain.stdout, '[Service]\nEnvironment="OPENSSL_CONF=/etc/a b%%.cnf"\n');
  t.notMatch(plain.stdout, 'LD_PRELOAD');
  const both = await signet(['config', 'nginx', '--async', '--library', '/nonexistent/signet_async.so']);
  t.match(both.stdout, '#   env LD_PRELOAD;\n');
  t.match(both.stdout, 'Environment="LD_PRELOAD=/nonexistent/signet_async.so"\n');
  t.match(both.stderr, '/nonexistent/signet_async.so is not there');
});

t.test('the doctor finds something or says that there is nothing', async (t) => {
  const { code, stdout } = await signet(['doctor']);
  t.equal(code, 0);
  t.match(stdout, /^(pid \d+ \(|no NGINX runs|\d+ more of other users)/);
});
