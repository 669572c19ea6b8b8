import type { Socket } from 'node:net';
import type { UnixCaller } from '../caller.js';
import { descriptorOf } from '../write-at-once.js';

/** SO_PEERCRED of a Unix socket's descriptor (unix(7)); src/native-addon.ts has it. Throws if there is none. */
export type PeerCredentials = (fd: number) => { uid: number; gid: number; pid: number };

/** The caller behind a connection; undefined if it has gone already. */
export function unixCaller(socket: Socket, role: string, peerCredentials: PeerCredentials): UnixCaller | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined) return undefined;
  try {
    const { uid, gid, pid } = peerCredentials(fd);
    return { kind: 'unix', role, uid, gid, pid };
  } catch {
    return undefined;
  }
}
