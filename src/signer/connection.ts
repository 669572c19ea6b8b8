import { writeSync } from 'node:fs';
import { busyPollReceive } from '../native-addon.js';
import { FRAME_BYTES_MAX } from '../pool/messages.js';

/** The signer's end of the socketpair; the front passes it as this descriptor. It blocks: the signer has nothing else to do. */
export const FRONT_FD = 3;

/**
 * Reads what has come, at least one byte. Gives 0 when the front has closed its end or is dead. While jobs follow each other
 * closely it looks for the next one for so many microseconds before it sleeps.
 */
export function receive(into: Buffer, busyPollUs: number): number {
  return busyPollReceive(FRONT_FD, into, busyPollUs);
}

/** What `receiveNow` gives when nothing has come. */
export const NOTHING_THERE = -1;
/** In place of a time: not to wait at all. */
const NOT_WAITING = -1;

/** As `receive`, but it does not wait. */
export function receiveNow(into: Buffer): number {
  return busyPollReceive(FRONT_FD, into, NOT_WAITING);
}

/** Reads exactly one frame into a buffer of its own, so that it can be wiped. Undefined if the front is gone. */
export function receiveFrame(): Buffer | undefined {
  const length = Buffer.alloc(4);
  if (!fill(length, 0)) return undefined;
  const bytes = length.readUInt32BE(0);
  if (bytes > FRAME_BYTES_MAX)
    throw new Error(`expected a frame of at most ${FRAME_BYTES_MAX} bytes; one of ${bytes} came`);
  const frame = Buffer.allocUnsafeSlow(4 + bytes);
  frame.set(length);
  return fill(frame, 4) ? frame : undefined;
}

/** Sends all of it. Throws when the front is gone. */
export function send(bytes: Buffer, length = bytes.length): void {
  let sent = 0;
  while (sent < length) sent += writeSync(FRONT_FD, bytes, sent, length - sent);
}

function fill(buffer: Buffer, from: number): boolean {
  for (let at = from; at < buffer.length; ) {
    const got = receive(buffer.subarray(at), 0);
    if (got === 0) return false;
    at += got;
  }
  return true;
}
