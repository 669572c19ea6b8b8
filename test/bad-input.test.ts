import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { SignatureScheme } from '../src/gen/signet/v1/sign.js';
import { startService } from './fixtures/running-service.js';
import { SocketClient } from './fixtures/socket-client.js';
import { createToken } from './fixtures/softhsm-token.js';

const CONNECTIONS = 50;
const GROWTH_KB_MAX = 32 * 1024;

// style: long because one service, started once, gets all of it
t.test('bad input', async (t) => {
  const token = createToken({ keys: [{ label: 'p256', type: 'p256' }] });
  t.teardown(() => token.remove());
  const service = await startService(t, token, { limits: { frame_timeout_ms: 500, hello_timeout_ms: 500 } });
  const good = await SocketClient.hello(service.webSocket);
  t.teardown(() => good.close());
  const keys = (await service.logged('keys found')).keys as { spkiSha256: string }[];
  const spkiSha256 = Buffer.from(keys[0]?.spkiSha256 ?? '', 'hex');
  let id = 10;
  const stillServes = async () => {
    good.sign(++id, { spkiSha256 });
    return (await good.answer(id)).body?.$case === 'sign';
  };
  t.ok(await stillServes());
  const before = residentKb(service.pid);

  const closing: Record<string, () => Buffer> = {
    garbage: () => randomBytes(60_000),
    'a frame of random bytes': () => Buffer.concat([lengthOf(1_000), randomBytes(1_000)]),
    'an oversized length': () => lengthOf(65_537),
    'the largest length': () => lengthOf(0xffffffff),
    'no length': () => lengthOf(0),
    'half a frame and then silence': () => Buffer.concat([lengthOf(60_000), Buffer.alloc(30_000)]),
    'half a length and then silence': () => Buffer.from([0, 0]),
    silence: () => Buffer.alloc(0),
  };
  for (const [what, bytes] of Object.entries(closing)) {
    t.test(`${what} closes the connection and harms nobody`, async (t) => {
      const clients = await Promise.all(
        Array.from({ length: CONNECTIONS }, () => SocketClient.connect(service.webSocket)),
      );
      for (const client of clients) client.socket.write(bytes());
      await Promise.all(clients.map((client) => client.closed()));
      t.ok(await stillServes());
    });
  }

  const refused: Record<string, [Parameters<SocketClient['sign']>[1], RegExp]> = {
    'an unknown key': [{ spkiSha256: Buffer.alloc(32, 7) }, /no key of this SPKI SHA-256/],
    'a short key name': [{ spkiSha256: Buffer.alloc(31) }, /expected spki_sha256 of 32 bytes; 31 came/],
    'a digest of the wrong length': [
      { spkiSha256, input: { $case: 'digest', value: Buffer.alloc(20) } },
      /digest of 32 bytes/,
    ],
    'an unknown scheme': [{ spkiSha256, scheme: 0x0201 as SignatureScheme }, /0x0201 came/],
    'a scheme of another curve': [
      { spkiSha256, scheme: SignatureScheme.SIGNATURE_SCHEME_ECDSA_SECP384R1_SHA384 },
      /does not fit the key/,
    ],
    'no input': [{ spkiSha256, input: undefined }, /expected a message or a digest/],
    'an empty message': [
      { spkiSha256, input: { $case: 'message', value: Buffer.alloc(0) } },
      /1 to 16384 bytes; 0 came/,
    ],
    'a message that is too long': [
      { spkiSha256, input: { $case: 'message', value: Buffer.alloc(16_385) } },
      /16385 came/,
    ],
  };
  for (const [what, [request, message]] of Object.entries(refused)) {
    t.test(`${what} gets a clear error and the connection lives on`, async (t) => {
      good.sign(++id, request);
      t.match(await good.answer(id), { body: { $case: 'error', value: { message } } });
      t.ok(await stillServes());
    });
  }

  t.test('memory stays bounded', async (t) => {
    const grownKb = residentKb(service.pid) - before;
    t.ok(grownKb < GROWTH_KB_MAX, `${grownKb} kB more`);
  });
});

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes);
  return length;
}

function residentKb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
