import t from 'tap';
import { PassedSockets } from './passed-sockets.js';

t.test('a socket without fd_name is left as it is', async (t) => {
  const socket = { path: '/run/a', role: 'web' };
  t.equal(new PassedSockets({}).give(socket), socket);
});

t.test('a socket that was not passed is told with what was', async (t) => {
  const socket = { path: '/run/a', fd_name: 'web' };
  t.throws(() => new PassedSockets({}).give(socket), {
    code: 'invalid_argument',
    message: /expected systemd to pass the socket web at \/run\/a; none came; .*FileDescriptorName/,
  });
});

t.test('what was passed to another process is not taken', async (t) => {
  const passed = new PassedSockets({ LISTEN_PID: '1', LISTEN_FDS: '2', LISTEN_FDNAMES: 'web:admin' });
  t.same(passed.notTaken(), []);
});

t.test('a descriptor that is no socket at the path is not taken', async (t) => {
  const passed = new PassedSockets({ LISTEN_PID: String(process.pid), LISTEN_FDS: '1', LISTEN_FDNAMES: 'web' });
  t.throws(() => passed.give({ path: '/run/a', fd_name: 'web' }), /web at no path came/);
  t.match(passed.notTaken(), [{ fd: 3, name: 'web', path: '' }]);
});
