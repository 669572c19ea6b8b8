import type pkcs11js from 'pkcs11js';
import {
  type SignThreadResult,
  type SignThreads,
  signThreadsStart,
  signThreadsStop,
  signThreadsSubmit,
} from '../native-addon.js';
import { Slots } from '../slots.js';
import { ckrOf } from './ckr.js';
import type { Token } from './token.js';

/** What C_SignInit and C_Sign are given. */
export interface ThreadJob {
  readonly key: pkcs11js.Handle;
  /** CKM_… */
  readonly mechanism: number;
  /** CK_RSA_PKCS_PSS_PARAMS: hashAlg, mgf, sLen. */
  readonly pss: readonly [number, number, number] | undefined;
  readonly input: Buffer;
  /** When the caller stops waiting, by performance.now(), in milliseconds. */
  readonly deadlineMs: number;
}

export interface MadeInThread {
  readonly signature: Buffer;
  /** C_SignInit and C_Sign together, in microseconds. */
  readonly tokenUs: number;
}

/** What a call of the module returned, as pkcs11js throws it. */
class CkrError extends Error {
  readonly code: number;

  constructor(code: number) {
    super(ckrOf(code).name);
    this.code = code;
  }
}

interface Waiting {
  readonly resolve: (made: MadeInThread | undefined) => void;
  readonly reject: (error: CkrError) => void;
}

const RESULT_MEMBERS = 4;
const CKR_OK = 0;
const EXPIRED = -1;

/** A thread for each of some sessions (native/addon/sign_threads.c): jobs are begun in the order in which they come, in whichever is free first. */
export class SessionThreads {
  readonly #threads: SignThreads;
  readonly #waiting = new Slots<Waiting>();

  /** The module at this path has been loaded and initialised, and the sessions are open. Throws when there are no threads left. */
  constructor(module: string, sessions: readonly Token[]) {
    const handles = sessions.map(({ session }) => session);
    this.#threads = signThreadsStart(module, handles, (results) => this.#made(results));
  }

  /** Resolves with undefined if the caller had stopped waiting before a session was free. Rejects with what `ckrCodeOf` knows. */
  sign({ key, mechanism, pss, input, deadlineMs }: ThreadJob): Promise<MadeInThread | undefined> {
    return new Promise((resolve, reject) => {
      const ticket = this.#waiting.add({ resolve, reject });
      try {
        signThreadsSubmit(this.#threads, ticket, key, mechanism, pss, input, deadlineMs - performance.now());
      } catch (thrown) {
        this.#waiting.take(ticket);
        throw thrown;
      }
    });
  }

  /** None of them may have a job. */
  close(): void {
    signThreadsStop(this.#threads);
  }

  #made(results: readonly SignThreadResult[]): void {
    for (let at = 0; at < results.length; at += RESULT_MEMBERS) {
      const [ticket, outcome, tokenUs, signature] = results.slice(at, at + RESULT_MEMBERS);
      const waiting = this.#waiting.take(ticket as number);
      if (outcome === CKR_OK) waiting?.resolve({ signature: signature as Buffer, tokenUs: tokenUs as number });
      else if (outcome === EXPIRED) waiting?.resolve(undefined);
      else waiting?.reject(new CkrError(outcome as number));
    }
  }
}
