import type pkcs11js from 'pkcs11js';
import t from 'tap';
import { closeSideSessions, openSideSessions } from './side-sessions.js';
import type { OpenSession } from './token.js';

/** A module whose token has room for so many sessions, of which one is open. */
function moduleWith(room: number) {
  const closed: number[] = [];
  let open = 1;
  const p11 = {
    C_OpenSession: () => {
      if (open === room) throw new Error('CKR_SESSION_COUNT:177');
      return Buffer.of(open++);
    },
    C_CloseSession: (session: Buffer) => closed.push(session[0] as number),
  } as unknown as pkcs11js.PKCS11;
  const first: OpenSession = { p11, session: Buffer.of(0), slot: Buffer.of(7), mechanisms: undefined };
  return { first, closed };
}

t.test('a signer has as many sessions as it is to have, or as the token has room for', async (t) => {
  const numbers = (room: number, wanted: number) =>
    openSideSessions(moduleWith(room).first, wanted).map(({ session }) => session[0]);
  t.same(numbers(64, 4), [0, 1, 2, 3]);
  t.same(numbers(3, 8), [0, 1, 2]);
  t.same(numbers(1, 8), [0]);
});

t.test('the first is not closed with the others', async (t) => {
  const { first, closed } = moduleWith(64);
  closeSideSessions(openSideSessions(first, 3));
  t.same(closed, [1, 2]);
});
