import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { limitsWith } from './fixtures/limits.js';

const service = unit('signet.service');
const socket = unit('signet.socket');

t.test('systemd finds nothing wrong with the units', async (t) => {
  if (spawnSync('systemd-analyze', ['--version']).error) return t.comment('skipped: there is no systemd-analyze');
  const folder = mkdtempSync(join(tmpdir(), 'signet-units-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  // The program need not be installed where the test runs.
  writeFileSync(
    join(folder, 'signet.service'),
    service.replace('ExecStart=/usr/bin/signet', `ExecStart=${process.execPath}`),
  );
  writeFileSync(join(folder, 'signet.socket'), socket);
  const files = ['signet.service', 'signet.socket'].map((name) => join(folder, name));
  const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...files], { encoding: 'utf8' });
  const ours = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('signet'));
  t.same(ours, []);
});

t.test('the service is hardened, and hears of its watchdog', async (t) => {
  for (const line of [
    'Type=notify',
    'LimitCORE=0',
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'ProtectHome=yes',
    'PrivateTmp=yes',
    'CapabilityBoundingSet=',
    'SystemCallFilter=@system-service',
  ]) {
    t.ok(service.split('\n').includes(line), line);
  }
  t.match(service, /^WatchdogSec=\d+s$/m);
  t.match(service, /^#LoadCredential=main-pin:/m);
});

t.test('systemd waits longer for the end than the service for what is in flight', async (t) => {
  const [, seconds] = /^TimeoutStopSec=(\d+)s$/m.exec(service) ?? [];
  t.ok(Number(seconds) * 1000 > 2 * limitsWith().drain_timeout_ms);
});

t.test('the socket unit says what its comment tells the configuration to say', async (t) => {
  const [, path] = /^ListenStream=(.+)$/m.exec(socket) ?? [];
  const [, name] = /^FileDescriptorName=(.+)$/m.exec(socket) ?? [];
  t.match(socket, `#       path: ${path}\n#       fd_name: ${name}\n`);
});

function unit(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../packaging/systemd/${name}`, import.meta.url)), 'utf8');
}
