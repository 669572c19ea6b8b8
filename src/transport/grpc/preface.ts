import type { Socket } from 'node:net';

/** The client's connection preface (RFC 9113 section 3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/**
 * Calls `speaks` when the caller has begun to speak HTTP/2. One that says something else is closed at once, and one that says nothing
 * when the time is over: HTTP/2 itself lets both hold their connection for as long as they like.
 */
export function whenPrefaced(socket: Socket, timeoutMs: number, speaks: () => void): void {
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  let said: Buffer = Buffer.alloc(0);
  const hear = (chunk: Buffer) => {
    said = said.length === 0 ? chunk : Buffer.concat([said, chunk]);
    const compared = Math.min(said.length, PREFACE.length);
    if (said.compare(PREFACE, 0, compared, 0, compared) !== 0) socket.destroy();
    else if (compared === PREFACE.length) handOver();
  };
  const handOver = () => {
    clearTimeout(timer);
    socket.off('data', hear);
    socket.pause();
    socket.unshift(said);
    // Not while the socket is in the middle of telling what it read.
    process.nextTick(speaks);
  };
  socket.on('data', hear);
  socket.once('close', () => clearTimeout(timer));
}
