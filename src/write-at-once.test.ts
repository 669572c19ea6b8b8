import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { descriptorOf, writeAtOnce, writeTogether } from './write-at-once.js';

test('what is written has left when the call returns', async (t) => {
  const { near, far } = await connection(t);
  near.write = (() => t.fail('the stream was asked')) as never;
  writeAtOnce(near, Buffer.from('hello'));
  t.equal(near.writableLength, 0);
  const [chunk] = (await once(far, 'data')) as [Buffer];
  t.equal(`${chunk}`, 'hello');
});

test('a reader that stops and goes on gets every byte in order, also of writes that the kernel took in part', async (t) => {
  const { near, far } = await connection(t);
  far.pause();
  const sent: Buffer[] = [];
  // Odd sizes, so that the kernel's buffer ends in the middle of one; more than it and the stream's high-water mark hold.
  for (let i = 0; i < 400; i++) {
    const bytes = Buffer.alloc(4093, i);
    sent.push(bytes);
    // Pieces lie together in memory that the next write uses again.
    if (i % 2 === 0) writeAtOnce(near, bytes);
    else writeTogether(near, [bytes.subarray(0, 1), bytes.subarray(1, 2_000), bytes.subarray(2_000)]);
  }
  t.ok(near.writableLength > 0, 'the stream keeps what the kernel does not take');
  near.end();
  const got: Buffer[] = [];
  far.on('data', (chunk: Buffer) => got.push(chunk));
  far.resume();
  await once(far, 'end');
  t.ok(Buffer.concat(got).equals(Buffer.concat(sent)));
});

test('pieces leave in one write, however long they are', async (t) => {
  const { near, far } = await connection(t);
  const pieces = [100_000, 3, 70_000].map((length, i) => Buffer.alloc(length, `${i}`));
  writeTogether(near, []);
  writeTogether(near, pieces);
  near.end();
  const got: Buffer[] = [];
  far.on('data', (chunk: Buffer) => got.push(chunk));
  await once(far, 'end');
  t.ok(Buffer.concat(got).equals(Buffer.concat(pieces)));
});

test('what was left to the stream comes before what is written after it', async (t) => {
  const { near, far } = await connection(t);
  far.pause();
  while (near.writableLength === 0) writeAtOnce(near, Buffer.alloc(50_000, 'a'));
  writeAtOnce(near, Buffer.alloc(50_000, 'b'));
  const drained = once(near, 'drain');
  const got: Buffer[] = [];
  far.on('data', (chunk: Buffer) => got.push(chunk));
  far.resume();
  await drained;
  writeAtOnce(near, Buffer.from('c'));
  near.end();
  await once(far, 'end');
  t.match(Buffer.concat(got).toString(), /^a+b+c$/);
});

test('a peer that is gone ends the connection, and a closed one has no descriptor', async (t) => {
  const { near, far } = await connection(t);
  near.pause();
  far.destroy();
  await once(far, 'close');
  const failed = once(near, 'error');
  writeAtOnce(near, Buffer.from('x'));
  t.match(await failed, [{ code: 'EPIPE' }]);
  t.equal(descriptorOf(near), undefined);
  t.doesNotThrow(() => writeAtOnce(near, Buffer.from('x')));
});

test('nothing is written behind the end', async (t) => {
  const { near, far } = await connection(t);
  near.on('error', () => undefined);
  writeAtOnce(near, Buffer.from('last'));
  near.end();
  writeAtOnce(near, Buffer.from(' words'));
  const got: Buffer[] = [];
  far.on('data', (chunk: Buffer) => got.push(chunk));
  await once(far, 'end');
  t.equal(`${Buffer.concat(got)}`, 'last');
});

async function connection(t: Test): Promise<{ near: Socket; far: Socket }> {
  const folder = mkdtempSync(join(tmpdir(), 'signet-write-'));
  const server = createServer({ allowHalfOpen: true }).listen(join(folder, 'socket'));
  await once(server, 'listening');
  const far = connect(join(folder, 'socket'));
  const [near] = (await once(server, 'connection')) as [Socket];
  t.teardown(() => {
    far.destroy();
    near.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return { near, far };
}
