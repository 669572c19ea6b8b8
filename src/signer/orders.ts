import { decodeRecover, FrameType, idOf, typeOf } from '../pool/messages.js';
import type { Ladder } from './ladder.js';
import { SignerFailure } from './token.js';

/** Does what a frame that is no job tells a signer to do. Throws SignerFailure for one that is no order either. */
export function obey(ladder: Ladder, frame: Buffer): void {
  switch (typeOf(frame)) {
    case FrameType.pin:
      return ladder.logIn(frame);
    case FrameType.refresh:
      return ladder.refresh(idOf(frame));
    case FrameType.recover:
      return ladder.recover(decodeRecover(frame).reopen);
    default:
      throw new SignerFailure('token', `expected a job or an order; a frame of type ${typeOf(frame)} came`);
  }
}
