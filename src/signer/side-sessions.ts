import pkcs11js from 'pkcs11js';
import { closeSession, type OpenSession, type Token } from './token.js';

/** As many sessions beside `first` as are wanted, or as the token has room for, at least `first` itself. They share its login. */
export function openSideSessions(first: OpenSession, wanted: number): Token[] {
  const { p11, slot, mechanisms } = first;
  const sessions = [first.session];
  try {
    while (sessions.length < wanted) sessions.push(p11.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION));
  } catch {
    // It has no more of them: these do the work, and the jobs for the others wait their turn.
  }
  return sessions.map((session) => ({ p11, session, mechanisms }));
}

/** All but the first, which is its opener's. */
export function closeSideSessions(sides: readonly Token[]): void {
  for (const side of sides.slice(1)) closeSession(side);
}
