import pkcs11js from 'pkcs11js';
import { newOutput } from './output.js';
import { closeSession, type OpenSession, type Token } from './token.js';

/** One of several sessions of a signer, with what C_Sign reads and writes in a thread of its own. */
export interface SideSession extends Token {
  readonly output: Buffer;
  /** Held here: pkcs11js would let it go while the module reads it. */
  input: Buffer | undefined;
}

/** As many sessions beside `first` as are wanted, or as the token has room for, at least `first` itself. They share its login. */
export function openSideSessions(first: OpenSession, wanted: number): SideSession[] {
  const { p11, slot, mechanisms } = first;
  const sessions = [first.session];
  try {
    while (sessions.length < wanted) sessions.push(p11.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION));
  } catch {
    // It has no more of them: these do the work, and the jobs for the others wait their turn.
  }
  return sessions.map((session) => ({ p11, session, mechanisms, output: newOutput(), input: undefined }));
}

/** All but the first, which is its opener's. */
export function closeSideSessions(sides: readonly SideSession[]): void {
  for (const side of sides.slice(1)) closeSession(side);
}
