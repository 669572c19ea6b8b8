import graphene from 'graphene-pk11';
import type { TokenConfig } from '../config/schema.js';
import { SignetError } from '../errors.js';
import { holdOf } from '../login-hold.js';
import type { LoginLatch } from '../shared-state.js';
import { returnValueOf, tokenError } from './token-error.js';

/**
 * A read-write session, logged in by one attempt: a token locks itself after a few wrong PINs. There is no attempt with a PIN that the
 * token has refused, whoever tried it, or while it warns; without a latch that is not known. Fills `pin` with zeros.
 * Throws SignetError token_failed.
 */
export function logIn(
  slot: graphene.Slot,
  pin: Buffer,
  token: TokenConfig,
  latch: LoginLatch | undefined,
): graphene.Session {
  try {
    return logInOnce(slot, pin, token, latch);
  } finally {
    pin.fill(0);
  }
}

function logInOnce(
  slot: graphene.Slot,
  pin: Buffer,
  token: TokenConfig,
  latch: LoginLatch | undefined,
): graphene.Session {
  const doing = `login to the token "${token.name}"`;
  const { serialNumber, flags } = slot.getToken();
  const serial = serialNumber.replace(/[\0 ]+$/, '');
  const finalTry = (flags & graphene.TokenFlag.USER_PIN_FINAL_TRY) !== 0;
  const locked = (flags & graphene.TokenFlag.USER_PIN_LOCKED) !== 0;
  const hold = latch && holdOf(latch, token.name, { serial, finalTry, locked }, pin);
  if (hold) throw new SignetError('token_failed', `${doing}: ${hold.why}; ${hold.remedy}`);
  const session = slot.open(graphene.SessionFlag.RW_SESSION | graphene.SessionFlag.SERIAL_SESSION);
  try {
    session.login(pin.toString(), graphene.UserType.USER);
  } catch (thrown) {
    session.close();
    const ckr = returnValueOf(thrown);
    const time = new Date().toISOString();
    if (ckr && PIN_REFUSED.test(ckr)) latch?.close({ serial, token: token.name, reason: `C_Login: ${ckr}`, time }, pin);
    throw tokenError(thrown, doing);
  }
  latch?.accepted(serial);
  return session;
}

const PIN_REFUSED = /^CKR_(PIN_|USER_PIN_NOT_INITIALIZED$)/;
