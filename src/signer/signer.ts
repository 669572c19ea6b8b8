import type { SignLoopFailure } from '../native-addon.js';
import type { SignerConfiguration } from '../pool/messages.js';
import { Ladder } from './ladder.js';
import { lastWords } from './last-words.js';
import { obey } from './orders.js';
import { closeSideSessions, openSideSessions } from './side-sessions.js';
import { SignLoop } from './sign-loop.js';
import { type OpenSession, SignerFailure, type Token } from './token.js';

/**
 * Signatures are made by SignLoop, in this thread or, with several sessions, in one for each; what is left to do here are the orders of the
 * front, the way up and what fails.
 */
export class Signer {
  readonly #configuration: SignerConfiguration;
  readonly #ladder: Ladder;
  readonly #loop: SignLoop;
  /** What the sessions were opened beside: another one means that they are gone. */
  #beside: OpenSession | undefined;
  #sessions: readonly Token[] = [];

  constructor(configuration: SignerConfiguration) {
    this.#configuration = configuration;
    this.#ladder = new Ladder(configuration, (frame) => this.#loop.send(frame));
    this.#loop = new SignLoop(configuration);
  }

  /** Until the front is gone: true. False if the signer gives up, and has told the front why. */
  work(): boolean {
    try {
      this.#climb(() => this.#ladder.climb());
      while (this.#goOn());
      return true;
    } catch (error) {
      this.#loop.send(lastWords(error));
      // Another session may sign, and what the module does at exit would crash under it.
      if ((this.#configuration.sessions ?? 1) > 1) process.kill(process.pid, 'SIGKILL');
      return false;
    }
  }

  /** False when the front is gone. */
  #goOn(): boolean {
    const event = this.#loop.next();
    switch (event.kind) {
      case 'gone':
        this.#close(event.isSigning);
        return false;
      case 'broken':
        throw new SignerFailure('token', event.what);
      case 'failed':
        this.#fail(event);
        return true;
      case 'order':
        this.#climb(() => obey(this.#ladder, event.frame));
        return true;
    }
  }

  #fail(failure: SignLoopFailure): void {
    const { retires, because } = this.#loop.answerFailure(failure);
    if (retires === 'nothing') return;
    this.#loop.quiet();
    // What is gone is let go once.
    if (this.#ladder.footing || retires === 'signer') this.#climb(() => this.#ladder.lose(retires, because));
  }

  /** Does something that may change what the signer stands on. No session signs. */
  #climb(how: () => void): void {
    const before = this.#ladder.footing;
    how();
    const { footing } = this.#ladder;
    if (footing === before) return;
    const token = footing?.token;
    const isOther = token !== this.#beside;
    if (isOther) {
      closeSideSessions(this.#sessions);
      this.#sessions = token ? openSideSessions(token, this.#configuration.sessions ?? 1) : [];
      this.#beside = token;
    }
    this.#loop.stand(isOther ? this.#sessions : undefined, footing?.keys.values() ?? []);
  }

  /** With a session that still signs, nothing can be closed, and what the module does at exit would crash under its threads. */
  #close(isSigning: boolean): void {
    if (isSigning) process.kill(process.pid, 'SIGKILL');
    closeSideSessions(this.#sessions);
    this.#ladder.close();
  }
}
