import { type OnReadOpts, Socket } from 'node:net';
import { duplicate } from './native-addon.js';
import { descriptorOf } from './write-at-once.js';

/** What a read takes at most: as much as node's own reads. */
const READ_BYTES_MAX = 64 * 1024;
/** All these sockets read into it, one after the other: an allocation of 64 KiB less for every read. */
const memory = Buffer.allocUnsafeSlow(READ_BYTES_MAX);

/**
 * Opens a socket on the descriptor, which it closes in its time. It has no 'data' events: `take` gets what has come, to
 * be copied or used up before it returns, for the next read of any socket goes to the same place.
 */
export function openSocket(fd: number, take: (chunk: Buffer) => void): Socket {
  const onread: OnReadOpts = {
    buffer: memory,
    callback: (bytes) => {
      take(memory.subarray(0, bytes));
      return true;
    },
  };
  // @types/node knows `onread` of connections that are made, not yet of sockets that are opened.
  const options = { fd, readable: true, writable: true, onread };
  return new Socket(options);
}

/** Takes over the connection of a socket that was accepted just now, of which nothing has been read. Throws when no descriptors are left. */
export function takeOver(accepted: Socket, take: (chunk: Buffer) => void): Socket {
  const fd = duplicate(descriptorOf(accepted) ?? -1);
  accepted.destroy();
  return openSocket(fd, take);
}
