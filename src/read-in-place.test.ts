import { once } from 'node:events';
import { closeSync, mkdtempSync, rmSync, writeSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { duplicate, socketPair } from './native-addon.js';
import { openSocket, takeOver } from './read-in-place.js';
import { descriptorOf } from './write-at-once.js';

test('what comes is given in order, and the end is told', async (t) => {
  const [near, far] = socketPair();
  const got: Buffer[] = [];
  const socket = openSocket(near, (chunk) => got.push(Buffer.from(chunk)));
  t.teardown(() => socket.destroy());
  const sent = Buffer.alloc(100_000, 'abcdefg');
  for (let at = 0; at < sent.length; ) {
    at += writeSync(far, sent, at, Math.min(20_000, sent.length - at));
    while (Buffer.concat(got).length < at) await new Promise(setImmediate);
  }
  closeSync(far);
  await once(socket, 'close');
  t.ok(Buffer.concat(got).equals(sent));
});

test('a socket that is paused takes nothing until it is resumed', async (t) => {
  const [near, far] = socketPair();
  const got: string[] = [];
  const socket = openSocket(near, (chunk) => got.push(`${chunk}`));
  t.teardown(() => socket.destroy());
  socket.pause();
  writeSync(far, 'x');
  for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
  t.same(got, []);
  socket.resume();
  while (got.length === 0) await new Promise(setImmediate);
  t.same(got, ['x']);
  closeSync(far);
  await once(socket, 'close');
});

test('a connection that is taken over lives on, its first socket closed, and ends with its peer', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'signet-read-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const server = createServer().listen(join(folder, 'socket'));
  await once(server, 'listening');
  const client = connect(join(folder, 'socket'));
  client.write('hello');
  const socket = await new Promise<Socket>((resolve) => {
    server.once('connection', (accepted: Socket) => {
      const taken = takeOver(accepted, (chunk) => taken.write(`${chunk} back`));
      t.ok(accepted.destroyed);
      t.throws(() => takeOver(accepted, () => undefined), /Bad file descriptor/);
      resolve(taken);
    });
  });
  t.equal(`${(await once(client, 'data'))[0]}`, 'hello back');
  client.end();
  await once(socket, 'close');
  t.equal(descriptorOf(socket), undefined);
  server.close();
});

test('a pair and a duplicate are of one connection', async (t) => {
  const [near, far] = socketPair();
  const again = duplicate(near);
  closeSync(near);
  const socket = openSocket(again, () => socket.end());
  writeSync(far, 'x');
  closeSync(far);
  await once(socket, 'close');
  t.pass('it was read from');
});
