import { test } from 'tap';
import {
  ANSWER_FRAME_BYTES_MAX,
  decodeAnswer,
  decodeConfigure,
  decodeDown,
  decodeKeys,
  decodeLogin,
  decodePin,
  decodeRecover,
  encodeConfigure,
  encodeDown,
  encodeJob,
  encodeKeys,
  encodeLoggedIn,
  encodeLogin,
  encodePin,
  encodeRecover,
  encodeRefresh,
  encodeUp,
  FrameReader,
  FrameType,
  idOf,
  typeOf,
  writeAnswer,
} from './messages.js';

const SPKI = 'ab'.repeat(32);

test('a job has the bytes of the contract', async (t) => {
  const frame = encodeJob(7, 0x0403, true, SPKI, Buffer.from('digest'));
  const noDeadline = '7ff0000000000000';
  const digest = Buffer.from('digest').toString('hex');
  t.equal(frame.toString('hex'), `0000003602000000070403${'01'}${SPKI}${noDeadline}${digest}`);
  const deadlineMs = performance.now() + 50;
  const carried = encodeJob(1, 1, false, SPKI, Buffer.alloc(0), deadlineMs);
  // CLOCK_MONOTONIC, which the signer compares it with.
  const beforeMs = performance.now();
  const leftMs = carried.readDoubleBE(44) - Number(process.hrtime.bigint()) / 1e6;
  const afterMs = performance.now();
  t.ok(leftMs < deadlineMs - beforeMs + 0.1 && leftMs > deadlineMs - afterMs - 0.1, `${leftMs} ms left`);
  t.equal(carried.readUInt8(11), 0, 'a message');
});

test('what a recovery needs survives the way', async (t) => {
  for (const reopen of [true, false]) t.same(decodeRecover(encodeRecover(reopen)), { reopen });
  t.equal(typeOf(encodeUp()), FrameType.up);
  const report = { message: 'C_OpenSession: CKR_TOKEN_NOT_PRESENT', badSignature: false };
  t.same(decodeDown(encodeDown(report)), report);
});

test('an answer has the bytes of the contract', async (t) => {
  const frame = Buffer.alloc(ANSWER_FRAME_BYTES_MAX);
  const length = writeAnswer(frame, 0xfffffffe, 'lost', 258, Buffer.from('why'));
  t.equal(frame.subarray(0, length).toString('hex'), '0000000d82fffffffe050000010277'.concat('6879'));
  const answer = decodeAnswer(frame.subarray(0, length));
  t.match(answer, { id: 0xfffffffe, status: 'lost', tokenUs: 258 });
  t.equal(answer.content.toString(), 'why');
});

test('an answer of any length fits the frame that is used again and again', async (t) => {
  const frame = Buffer.alloc(ANSWER_FRAME_BYTES_MAX);
  t.equal(writeAnswer(frame, 1, 'refused', 0, Buffer.alloc(100_000)), ANSWER_FRAME_BYTES_MAX);
});

test('an answer with an unknown status is refused', async (t) => {
  const frame = Buffer.alloc(ANSWER_FRAME_BYTES_MAX);
  const length = writeAnswer(frame, 1, 'ok', 0, Buffer.alloc(1));
  frame[9] = 99;
  t.throws(() => decodeAnswer(frame.subarray(0, length)), /expected the status of a job; 99 came/);
});

test('the PIN travels as bytes that are gone when the frame is wiped', async (t) => {
  const frame = encodePin(Buffer.from('12 34é'));
  const pin = decodePin(frame);
  t.equal(pin.toString(), '12 34é');
  frame.fill(0);
  t.ok(pin.every((byte) => byte === 0));
});

test('a configuration and a request to log in survive the way', async (t) => {
  const configuration = { module: '/m.so', tokenLabel: 'x', verify: 'always', busyPollUs: 2, tokenBusyMs: 1 } as const;
  t.same(decodeConfigure(encodeConfigure(configuration)), configuration);
  const request = { serial: '0123', finalTry: true, locked: false };
  const frame = encodeLogin(request);
  t.equal(typeOf(frame), FrameType.login);
  t.same(decodeLogin(frame), request);
  t.equal(typeOf(encodeLoggedIn()), FrameType.loggedIn);
});

test('keys and a refresh survive the way', async (t) => {
  const report = { keys: [{ spki: 'AA==', label: 'é', id: '01', certificateChain: ['AQ=='] }], warnings: ['w'] };
  t.same(decodeKeys(encodeKeys(3, report)), report);
  t.equal(idOf(encodeKeys(3, report)), 3);
  t.equal(typeOf(encodeRefresh(9)), FrameType.refresh);
  t.equal(idOf(encodeRefresh(9)), 9);
});

test('a reader finds the same frames however the stream is cut', async (t) => {
  const frames = [encodeRefresh(1), encodeJob(2, 3, false, SPKI, Buffer.alloc(300, 5)), encodeRefresh(4)];
  const stream = Buffer.concat(frames);
  for (const size of [1, 2, 3, 5, 9, 10, 64, 345, stream.length]) {
    const seen: string[] = [];
    const reader = new FrameReader();
    // One buffer for all pieces, as the signer reads into one.
    const piece = Buffer.alloc(size);
    for (let at = 0; at < stream.length; at += size) {
      const length = stream.copy(piece, 0, at, at + size);
      reader.push(piece.subarray(0, length), (frame) => seen.push(frame.toString('hex')));
    }
    t.same(
      seen,
      frames.map((frame) => frame.toString('hex')),
      `pieces of ${size} bytes`,
    );
  }
});

test('a length that cannot be one of ours is refused before anything is kept', async (t) => {
  const read = (hex: string) => () => new FrameReader().push(Buffer.from(hex, 'hex'), () => {});
  t.throws(read('ffffffff'), /expected a frame of 9 to 67108864 bytes/);
  t.throws(read('00000004'), /expected a frame of 9 to 67108864 bytes; one of 8 came/);
});
