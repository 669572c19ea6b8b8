import { createHmac, randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { TokenConfig } from '../config/schema.js';
import { type Hold, holdOf, type LoginRequest, wrongPin } from '../login-hold.js';
import type { LoginLatch } from '../shared-state.js';

/** A signer that would log in. */
export interface LoginSeeker {
  givePin(pin: Buffer): void;
  kill(reason: 'died', message: string): void;
}

/**
 * The one way to a C_Login of a token. One signer logs in at a time and the others wait for what becomes of it, so a wrong PIN costs one
 * login; the latch remembers it, for the signers to come and for the service after a restart.
 */
export class LoginGate {
  readonly #token: TokenConfig;
  readonly #latch: LoginLatch;
  readonly #readPin: (token: TokenConfig) => Buffer;
  readonly #log: Logger;
  readonly #onHold: (hold: Hold) => void;
  #waiting: Turn[] = [];
  /** Who logs in now, and with what: wiped at the end of the turn. */
  #turn: (Turn & { readonly pin: Buffer }) | undefined;
  /** As the token told it last. */
  #serial: string | undefined;
  /** The PIN that was not tried or refused, as only this process could compute it again. */
  #heldPin = '';
  readonly #secret = randomBytes(32);

  constructor(
    token: TokenConfig,
    latch: LoginLatch,
    readPin: (token: TokenConfig) => Buffer,
    log: Logger,
    onHold: (hold: Hold) => void,
  ) {
    this.#token = token;
    this.#latch = latch;
    this.#readPin = readPin;
    this.#log = log;
    this.#onHold = onHold;
  }

  /** The signer gets the PIN when it is its turn; or nobody does, and `onHold` is told why. */
  ask(seeker: LoginSeeker, request: LoginRequest): void {
    this.#serial = request.serial;
    this.#waiting.push({ seeker, request });
    this.#next();
  }

  loggedIn(seeker: LoginSeeker): void {
    if (this.#turn?.seeker !== seeker) return;
    const { serial } = this.#turn.request;
    this.#attempt('the latch of the token cannot be cleared', () => this.#latch.accepted(serial));
    this.#endTurn();
  }

  /** The signer has ended; `refusal` is what the token said to the PIN, if it refused it. */
  ended(seeker: LoginSeeker | undefined, refusal?: string): void {
    this.#waiting = this.#waiting.filter((turn) => turn.seeker !== seeker);
    if (this.#turn === undefined || this.#turn.seeker !== seeker) return;
    if (refusal !== undefined) this.#refused(this.#turn.request.serial, this.#turn.pin, refusal);
    this.#endTurn();
  }

  /** Somebody says that the PIN may be tried. True if it was latched. Throws SignetError. */
  release(): boolean {
    return this.#latch.release(this.#token.name, this.#serial);
  }

  /** Whether the PIN file says another PIN than the one that is held back. One that cannot be read says none. */
  pinHasChanged(): boolean {
    try {
      const pin = this.#readPin(this.#token);
      const changed = this.#fingerprint(pin) !== this.#heldPin;
      pin.fill(0);
      return changed;
    } catch {
      return false;
    }
  }

  #endTurn(): void {
    this.#turn?.pin.fill(0);
    this.#turn = undefined;
    this.#next();
  }

  #next(): void {
    if (this.#turn) return;
    const turn = this.#waiting.shift();
    if (!turn) return;
    try {
      const pin = this.#readPin(this.#token);
      const hold = holdOf(this.#latch, this.#token.name, turn.request, pin);
      if (hold) return this.#hold(pin, hold);
      this.#turn = { ...turn, pin: copyOf(pin) };
      turn.seeker.givePin(pin);
    } catch (thrown) {
      // What is not known must not be tried. The signer's successor asks again, after its back-off.
      turn.seeker.kill('died', `no login: ${(thrown as Error).message}`);
      this.#next();
    }
  }

  #refused(serial: string, pin: Buffer, reason: string): void {
    const refusal = { serial, token: this.#token.name, reason, time: new Date().toISOString() };
    this.#attempt('the latch of the token is not on the disk: it holds only until the service ends', () =>
      this.#latch.close(refusal, pin),
    );
    this.#hold(pin, wrongPin(refusal));
  }

  /** Wipes the PIN. Those that wait are ended by whoever is told. */
  #hold(pin: Buffer, hold: Hold): void {
    this.#heldPin = this.#fingerprint(pin);
    pin.fill(0);
    this.#waiting = [];
    this.#onHold(hold);
  }

  #fingerprint(pin: Buffer): string {
    return createHmac('sha256', this.#secret).update(pin).digest('hex');
  }

  #attempt(failure: string, work: () => void): void {
    try {
      work();
    } catch (err) {
      this.#log.error({ err }, failure);
    }
  }
}

/** Not from node's shared pool: what others get from there must not lie beside a PIN. */
function copyOf(pin: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(pin.length);
  pin.copy(copy);
  return copy;
}

interface Turn {
  readonly seeker: LoginSeeker;
  readonly request: LoginRequest;
}
