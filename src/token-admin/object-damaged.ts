import type graphene from 'graphene-pk11';
import { SignetError } from '../errors.js';
import type { Session } from './open-token.js';

/**
 * A new object does not hold what it was given. SoftHSM 2.6.1 loses attributes of an object that is being written while another
 * process loads the token (a signer that starts, say): its file locks are POSIX locks, and closing any descriptor of a file drops
 * them. Seen: one in nine new keys while two other processes did nothing else.
 */
export class ObjectDamaged extends SignetError {
  constructor(cause?: unknown) {
    const reason = 'probably another process opened it at the same moment; nothing was kept, try again';
    super('token_failed', `the token did not store what it was given: ${reason}`, { cause });
    this.name = 'ObjectDamaged';
  }
}

/** Makes an object anew when it came out damaged. `make` leaves nothing behind when it throws. */
export function untilWhole<T>(make: () => T): T {
  for (let attempt = 1; ; attempt++) {
    try {
      return make();
    } catch (thrown) {
      if (!(thrown instanceof ObjectDamaged) || attempt === ATTEMPTS_MAX) throw thrown;
    }
  }
}

const ATTEMPTS_MAX = 4;

/** Reads back what was written. Throws ObjectDamaged. */
export function requireKept(
  object: graphene.SessionObject,
  { label, id, value }: { readonly label: string; readonly id: Buffer; readonly value?: Buffer },
): void {
  let kept: boolean;
  try {
    kept = String(object.getAttribute('label')) === label && id.equals(object.getAttribute('id') as Buffer);
    if (value) kept = kept && value.equals(object.getAttribute('value') as Buffer);
  } catch (cause) {
    throw new ObjectDamaged(cause);
  }
  if (!kept) throw new ObjectDamaged();
}

/** A damaged object may have no valid handle any more. */
export function destroyQuietly(session: Session, object: graphene.SessionObject): void {
  try {
    session.destroy(object);
  } catch {
    // The error that matters is on its way.
  }
}
