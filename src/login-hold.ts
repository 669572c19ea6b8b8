import type { LoginLatch, Refusal } from './shared-state.js';

/** What a token says of itself before a login. */
export interface LoginRequest {
  /** CK_TOKEN_INFO.serialNumber, without the blanks that fill it up. */
  readonly serial: string;
  /** CKF_USER_PIN_FINAL_TRY: one more wrong PIN locks it. */
  readonly finalTry: boolean;
  /** CKF_USER_PIN_LOCKED. */
  readonly locked: boolean;
}

/** Why nobody may log in to a token until somebody has looked after it. */
export interface Hold {
  readonly why: string;
  readonly remedy: string;
}

/** What stands against a login with this PIN; undefined if nothing does. Uses up what was permitted. Throws SignetError. */
export function holdOf(latch: LoginLatch, token: string, request: LoginRequest, pin: Uint8Array): Hold | undefined {
  const { serial, finalTry, locked } = request;
  const refusal = latch.refusal(serial, pin);
  if (refusal) return wrongPin(refusal);
  if ((!locked && !finalTry) || latch.takePermit(token)) return undefined;
  return locked ? LOCKED : FINAL_TRY;
}

const UNLATCH = 'signet token unlatch';

export function wrongPin({ reason, time }: Pick<Refusal, 'reason' | 'time'>): Hold {
  return {
    why: `wrong PIN: ${reason} at ${time}`,
    remedy: `correct the PIN file, which is looked at again by itself; or, if the PIN is right by now, ${UNLATCH}`,
  };
}

const FINAL_TRY: Hold = {
  why: 'no login: the token says that one more wrong PIN locks it (CKF_USER_PIN_FINAL_TRY)',
  remedy: `make sure that the PIN is right, then ${UNLATCH}, which permits one login`,
};

const LOCKED: Hold = {
  why: 'no login: the token says that its PIN is locked (CKF_USER_PIN_LOCKED)',
  remedy: `have the security officer of the token unlock it, then ${UNLATCH}`,
};
