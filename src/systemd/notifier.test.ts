import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { notifySocket } from '../../test/fixtures/systemd.js';
import { until } from '../../test/fixtures/until.js';
import { notifySystemd } from '../native-addon.js';
import { Notifier } from './notifier.js';

const log = pino({ level: 'silent' });

t.test('systemd is told by a datagram, at a path or an abstract address', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'signet-notify-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const path of [join(folder, 'notify'), `@signet-test-${process.pid}`]) {
    const socket = await notifySocket(t, path);
    const systemd = new Notifier({ NOTIFY_SOCKET: path }, log);
    systemd.ready(() => true);
    t.equal(
      systemd.reloading(() => 7),
      7,
    );
    systemd.stopping();
    await socket.said('STOPPING=1');
    t.match(socket.datagrams, [
      ['READY=1', 'STATUS=serving'],
      ['RELOADING=1', /^MONOTONIC_USEC=\d+$/],
      ['READY=1'],
      ['STOPPING=1', 'STATUS=draining'],
    ]);
  }
});

t.test('the watchdog hears of the service twice in its period, and only while it is healthy', async (t) => {
  const words: string[] = [];
  const environment = { NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '20000', WATCHDOG_PID: String(process.pid) };
  const systemd = new Notifier(environment, log, (_, text) => void words.push(text));
  t.teardown(() => systemd.close());
  let asked = 0;
  let healthy = true;
  systemd.ready(() => {
    asked++;
    return healthy;
  });
  const fed = () => words.filter((word) => word === 'WATCHDOG=1').length;
  await until(() => fed() >= 3);
  healthy = false;
  const before = [fed(), asked] as const;
  await until(() => asked > before[1] + 3);
  t.equal(fed(), before[0]);
  healthy = true;
  await until(() => fed() > before[0]);
});

t.test(
  'where there is no systemd, nothing is said; where the watchdog is of another process, nothing to it',
  async (t) => {
    const words: string[] = [];
    const send = (_: string, text: string) => void words.push(text);
    const alone = new Notifier({ WATCHDOG_USEC: '1000' }, log, send);
    alone.ready(() => t.fail('there is no watchdog'));
    alone.stopping();
    t.same(words, []);
    const other = new Notifier({ NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' }, log, send);
    other.ready(() => t.fail('it watches another process'));
    await new Promise((resolve) => setTimeout(resolve, 5));
    t.same(words, ['READY=1\nSTATUS=serving']);
  },
);

t.test('a systemd that does not listen is no reason to fail', async (t) => {
  const lines: string[] = [];
  const loud = pino({}, { write: (line: string) => void lines.push(line) });
  const systemd = new Notifier({ NOTIFY_SOCKET: '/nonexistent/notify' }, loud);
  systemd.ready(() => true);
  t.match(lines.join(''), /systemd could not be told/);
});

t.test('what cannot be an address or a text is refused with the reason', async (t) => {
  t.throws(() => notifySystemd('', 'READY=1'), /path of the socket: File name too long/);
  t.throws(() => notifySystemd(`/${'x'.repeat(200)}`, 'READY=1'), /File name too long/);
  t.throws(() => notifySystemd('/x', 'x'.repeat(5000)), /expected a socket and a text/);
  t.throws(() => notifySystemd('/x', 7 as unknown as string), /expected a socket and a text/);
});
