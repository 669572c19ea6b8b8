import { writeSync } from 'node:fs';
import type { Socket } from 'node:net';

/** The descriptor of a Unix socket; undefined once it is closed. */
export function descriptorOf(socket: Socket): number | undefined {
  // node tells it nowhere else.
  const fd = (socket as unknown as { _handle?: { fd: number } | null })._handle?.fd;
  return fd !== undefined && fd >= 0 ? fd : undefined;
}

/**
 * Writes to a Unix socket as `Socket.write` does, at about half its cost (docs/performance.md): by write(2), past the stream, as long as
 * nothing waits in the stream and the kernel has room. What the kernel does not take goes through the stream, in order. So does
 * what fails: it fails there again, and ends the connection as any failed write does. The bytes may be reused afterwards.
 */
export function writeAtOnce(socket: Socket, bytes: Uint8Array): void {
  const fd = socket.writableLength === 0 && !socket.writableEnded ? descriptorOf(socket) : undefined;
  const written = fd === undefined ? 0 : tryWrite(fd, bytes);
  if (written < bytes.length) socket.write(Buffer.from(bytes.subarray(written)));
}

/** Reused for all that leaves together: memory that is allocated anew for each write costs more than it takes to fill it. */
const together = Buffer.allocUnsafeSlow(64 * 1024);

/** The same with several pieces in one write. */
export function writeTogether(socket: Socket, pieces: readonly Uint8Array[]): void {
  const [first, ...others] = pieces;
  if (first) writeAtOnce(socket, others.length === 0 ? first : joined(pieces));
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const piece of pieces) {
    if (length + piece.length > together.length) return Buffer.concat(pieces);
    together.set(piece, length);
    length += piece.length;
  }
  return together.subarray(0, length);
}

/** How many bytes the kernel took. The descriptors of node's sockets do not block. */
function tryWrite(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes);
  } catch {
    return 0;
  }
}
