import { ALGORITHMS } from '../algorithms.js';
import {
  type NativeSignLoop,
  type SignLoopEvent,
  type SignLoopFailure,
  type SignLoopKey,
  type SignLoopWay,
  signLoopNext,
  signLoopOpen,
  signLoopQuiet,
  signLoopSend,
  signLoopStand,
} from '../native-addon.js';
import { ANSWER_FRAME_BYTES_MAX, type JobStatus, type SignerConfiguration, writeAnswer } from '../pool/messages.js';
import { CKRS, ckrOf, type Retires } from './ckr.js';
import { FRONT_FD } from './connection.js';
import type { TokenKey } from './find-keys.js';
import { digestInfoHeadOf, pssOf } from './make-signature.js';
import type { Token } from './token.js';

const CKR_OK = 0;
const WAYS: readonly SignLoopWay[] = ALGORITHMS.map((algorithm) => ({
  scheme: algorithm.scheme,
  mechanism: algorithm.mechanism,
  hash: algorithm.hash,
  pss: pssOf(algorithm),
  digestInfo: digestInfoHeadOf(algorithm),
}));
const BUSY = CKRS.filter(({ fault }) => fault === 'busy').map(({ code }) => code);

/** Jobs, from frame to frame, in sessions of a token (native/signer/sign_loop.c). What does not go well comes out of `next`. */
export class SignLoop {
  readonly #loop: NativeSignLoop;
  #keys: readonly TokenKey[] = [];

  /** The module has been loaded and initialised. Throws if there are no threads left. */
  constructor({ module, sessions = 1, busyPollUs, tokenBusyMs, verify }: SignerConfiguration) {
    const settings = { fd: FRONT_FD, module, sessions, busyPollUs, tokenBusyMs, verify, busy: BUSY, ways: WAYS };
    this.#loop = signLoopOpen(settings);
  }

  /**
   * With what it signs from now on; undefined: the same sessions. None of them may sign: before the first `next`, after an order and after
   * `quiet`.
   */
  stand(sessions: readonly Token[] | undefined, keys: Iterable<TokenKey>): void {
    this.#keys = [...keys];
    const handles = sessions?.map(({ session }) => session);
    signLoopStand(this.#loop, handles, this.#keys.map(loopKeyOf));
  }

  /** Makes signatures until something comes up that is not a job that goes well. */
  next(): SignLoopEvent {
    return signLoopNext(this.#loop);
  }

  /** Waits until no session signs, and keeps it so until `next`. */
  quiet(): void {
    signLoopQuiet(this.#loop);
  }

  send(frame: Buffer): void {
    signLoopSend(this.#loop, frame);
  }

  /** Answers a job that failed. Gives what the signer has lost by it, if that is not known already, and why. */
  answerFailure(failure: SignLoopFailure): { readonly retires: Retires; readonly because: string } {
    const { id, rv, tokenUs, isStale } = failure;
    if (rv === CKR_OK) {
      this.#answer(id, 'bad_signature', tokenUs, this.#badSignature(failure));
      return { retires: 'nothing', because: '' };
    }
    const { name, retry, fault, retires } = ckrOf(rv);
    this.#answer(id, statusOf(retry, fault === 'busy', retires), tokenUs, name);
    // Several sessions may find out at once; but a module that is beyond repair stays that.
    return { retires: !retry || (isStale && retires !== 'signer') ? 'nothing' : retires, because: name };
  }

  #badSignature({ key, way, isStale }: SignLoopFailure): string {
    const which = isStale ? 'a key' : `key "${this.#keys[key]?.label}"`;
    return `${which}: the token's ${ALGORITHMS[way]?.name} signature does not verify`;
  }

  #answer(id: number, status: JobStatus, tokenUs: number, why: string): void {
    const frame = Buffer.allocUnsafe(ANSWER_FRAME_BYTES_MAX);
    this.send(frame.subarray(0, writeAnswer(frame, id, status, tokenUs, Buffer.from(why))));
  }
}

function loopKeyOf({ key, handle, algorithms }: TokenKey): SignLoopKey {
  const ways = ALGORITHMS.reduce((bits, algorithm, at) => (algorithms.has(algorithm) ? bits + 2 ** at : bits), 0);
  return { spkiSha256: Buffer.from(key.spkiSha256, 'hex'), handle, spki: key.spki, ways };
}

function statusOf(retry: boolean, isBusy: boolean, retires: Retires): JobStatus {
  if (!retry) return 'refused';
  if (retires === 'signer') return 'lost';
  if (retires !== 'nothing') return 'no_session';
  return isBusy ? 'busy' : 'token_error';
}
