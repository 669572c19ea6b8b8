import graphene from 'graphene-pk11';
import { SignetError } from '../errors.js';
import { withModule } from './open-token.js';

export interface NewToken {
  /** The SoftHSM module. */
  readonly module: string;
  /** Path of its softhsm2.conf. */
  readonly conf: string;
  /** CKA_LABEL of the token, at most 32 bytes. */
  readonly label: string;
  readonly userPin: string;
  readonly soPin: string;
}

/** Makes a token with a user PIN; through the module itself, since softhsm2-util takes PINs in its arguments. */
export async function initSoftHsm(token: NewToken): Promise<void> {
  await withModule(token.module, { SOFTHSM2_CONF: token.conf }, undefined, (module, lib) => {
    const slot = freeSlot(module);
    lib.C_InitToken(slot.handle, token.soPin, checkedLabel(token.label));
    setUserPin(slot, token);
  });
}

/** SoftHSM shows one slot whose token is not initialised yet; initialising it makes the next. */
function freeSlot(module: graphene.Module): graphene.Slot {
  const slots = module.getSlots(true);
  for (let i = 0; i < slots.length; i++) {
    const slot = slots.items(i);
    if ((slot.getToken().flags & graphene.TokenFlag.TOKEN_INITIALIZED) === 0) return slot;
  }
  throw new SignetError('token_failed', 'the module shows no token that is free to be initialised');
}

function setUserPin(slot: graphene.Slot, token: NewToken): void {
  const session = slot.open(graphene.SessionFlag.RW_SESSION | graphene.SessionFlag.SERIAL_SESSION);
  session.login(token.soPin, graphene.UserType.SO);
  session.initPin(token.userPin);
  session.logout();
  session.close();
}

function checkedLabel(label: string): string {
  const bytes = Buffer.byteLength(label);
  if (bytes < 1 || bytes > LABEL_BYTES_MAX) {
    const expected = `expected a token label of 1 to ${LABEL_BYTES_MAX} bytes`;
    throw new SignetError('invalid_argument', `${expected}; one of ${bytes} came`);
  }
  return label;
}

/** CK_TOKEN_INFO.label. */
const LABEL_BYTES_MAX = 32;
