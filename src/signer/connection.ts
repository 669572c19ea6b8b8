import { readSync, writeSync } from 'node:fs';
import { FRAME_BYTES_MAX } from '../pool/messages.js';

/** The signer's end of the socketpair; the front passes it as this descriptor. It blocks: the signer has nothing else to do. */
export const FRONT_FD = 3;

/** Reads exactly one frame. Undefined if the front is gone. */
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

/** Sends a frame while there is no SignLoop yet. Throws when the front is gone. */
export function sendFrame(frame: Buffer): void {
  for (let sent = 0; sent < frame.length; ) sent += writeSync(FRONT_FD, frame, sent);
}

function fill(buffer: Buffer, from: number): boolean {
  for (let at = from; at < buffer.length; ) {
    const got = readSync(FRONT_FD, buffer, at, buffer.length - at, null);
    if (got === 0) return false;
    at += got;
  }
  return true;
}
