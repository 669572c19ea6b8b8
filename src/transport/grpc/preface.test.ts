import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { startGrpc } from '../../../test/fixtures/grpc-transport.js';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const SETTINGS = Buffer.from('000000040000000000', 'hex');
const SETTINGS_ACK = Buffer.from('000000040100000000', 'hex');

t.test('a connection that does not begin to speak HTTP/2 is closed', async (t) => {
  const { path, transport } = await startGrpc(t, { limits: { hello_timeout_ms: 100 } });
  const began: Record<string, Buffer> = {
    'says nothing': Buffer.alloc(0),
    'says half of it': PREFACE.subarray(0, 12),
    'says something else': Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    'begins right and goes wrong': Buffer.concat([PREFACE.subarray(0, 20), Buffer.from('xxxx')]),
  };
  for (const [what, bytes] of Object.entries(began)) {
    const socket = connect(path);
    socket.on('error', () => undefined);
    socket.write(bytes);
    socket.resume();
    await once(socket, 'close');
    t.pass(what);
  }
  t.equal(transport.connections, 0);
});

t.test('one that does is served, however the bytes are cut, and may then be idle', async (t) => {
  // Long enough to say it all on a busy machine.
  const { path } = await startGrpc(t, { limits: { hello_timeout_ms: 1_500 } });
  const socket = connect(path);
  t.teardown(() => socket.destroy());
  for (const byte of PREFACE) socket.write(Buffer.of(byte));
  socket.write(SETTINGS);
  let heard: Buffer = Buffer.alloc(0);
  while (!heard.includes(SETTINGS_ACK)) heard = Buffer.concat([heard, (await once(socket, 'data'))[0] as Buffer]);
  const closed = await Promise.race([
    once(socket, 'close').then(() => true),
    new Promise((resolve) => setTimeout(resolve, 1_700, false)),
  ]);
  t.equal(closed, false);
});
