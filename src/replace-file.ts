import { closeSync, fchownSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Replaces a file in one step, so that a reader sees the old one or the new one whole: writes beside it, syncs, renames over it. It is
 * on the disk when this returns. `owner`: whose it shall be, for root only; default: of whoever writes.
 */
export function replaceFile(file: string, content: Uint8Array, mode: number, owner?: Owner): void {
  const aside = `${file}.${process.pid}.new`;
  syncAndClose(openSync(aside, 'w', mode), (fd) => {
    writeSync(fd, content);
    if (owner) fchownSync(fd, owner.uid, owner.gid);
  });
  renameSync(aside, file);
  syncAndClose(openSync(dirname(file), 'r'));
}

function syncAndClose(fd: number, work: (fd: number) => void = () => {}): void {
  try {
    work(fd);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
