import type pkcs11js from 'pkcs11js';
import {
  encodeDown,
  encodeKeys,
  encodeLoggedIn,
  encodeLogin,
  encodeUp,
  type SignerConfiguration,
  type SignerKey,
} from '../pool/messages.js';
import { whileBusy } from './busy-wait.js';
import { type Ckr, ckrCodeOf, ckrOf, describe, type Retires } from './ckr.js';
import { findKeys, type TokenKey } from './find-keys.js';
import { provesKey } from './prove-key.js';
import {
  closeModule,
  closeSession,
  logIn,
  loginRequest,
  type OpenSession,
  openModule,
  openSession,
  SignerFailure,
} from './token.js';

/** What jobs are served with. */
export interface Footing {
  readonly token: OpenSession;
  readonly keys: ReadonlyMap<string, TokenKey>;
}

/**
 * What a signer stands on, each on the one before: module, session, login, keys. What the token takes away is let go with all above it,
 * and climbed again; a signer that has been up once ends only when its module is beyond repair or its PIN is refused.
 *
 * Nobody waits on the way: where the PIN is needed the climb stops, and goes on when the front has given it (`logIn`).
 */
export class Ladder {
  readonly #configuration: SignerConfiguration;
  readonly #send: (frame: Buffer) => void;
  readonly #p11: pkcs11js.PKCS11;
  #session: OpenSession | undefined;
  #loggedIn = false;
  #footing: Footing | undefined;
  /** As of the last time that it was up; undefined before the first. */
  #known: ReadonlyMap<string, TokenKey> | undefined;

  /** Throws SignerFailure when the module cannot be used. */
  constructor(configuration: SignerConfiguration, send: (frame: Buffer) => void) {
    this.#configuration = configuration;
    this.#send = send;
    this.#p11 = openModule(configuration);
  }

  /** Undefined while the signer cannot sign. */
  get footing(): Footing | undefined {
    return this.#footing;
  }

  /** Does what is missing, as far as that goes without the PIN. The first climb throws what fails; a later one tells the front. */
  climb(): void {
    this.#guarded(() => {
      this.#session ??= openSession(this.#p11, this.#configuration);
      if (!this.#loggedIn) return this.#send(encodeLogin(loginRequest(this.#session)));
      const again = this.#known !== undefined;
      this.#find(0);
      if (again) this.#prove();
    });
  }

  /** Goes on with the PIN that the front gives. The frame is wiped. Throws SignerFailure if the token refuses it. */
  logIn(frame: Buffer): void {
    const session = this.#session;
    if (!session || this.#loggedIn) throw new SignerFailure('token', 'expected no PIN without a login');
    const isUp = this.#guarded(() => {
      logIn(session, frame);
      this.#loggedIn = true;
      this.#send(encodeLoggedIn());
    });
    if (isUp) this.climb();
  }

  /** Looks for the keys again. The answer has this id. */
  refresh(id: number): void {
    if (this.#footing) this.#guarded(() => this.#find(id));
  }

  /** Proves a key, after whatever is missing for that; `reopen`: in a new session. */
  recover(reopen: boolean): void {
    if (reopen) this.#letGo('session');
    if (!this.#footing) return this.climb();
    this.#guarded(() => this.#prove());
  }

  /** A job has shown that something is gone. Throws SignerFailure when nothing is left to climb on. */
  lose(retires: Retires, because: string): void {
    if (retires === 'signer') throw new SignerFailure('token', `signing: ${because}`);
    this.#letGo(retires);
    this.climb();
  }

  /** Ends it in good order. */
  close(): void {
    this.#letGo('session');
    closeModule(this.#p11);
  }

  #find(id: number): void {
    const token = this.#session;
    if (!token) return;
    const { keys, warnings, isPartial } = findKeys(token, this.#configuration.publicKeyFiles);
    const found = new Map(keys.map((key) => [key.key.spkiSha256, key]));
    const lacks = isPartial && [...(this.#known?.keys() ?? [])].some((spkiSha256) => !found.has(spkiSha256));
    // To callers, a key that is not told does not exist; this one was there a moment ago.
    if (lacks) throw new SignerFailure('token', `keys cannot be read: ${warnings.join('; ')}`);
    this.#known = found;
    this.#footing = { token, keys: found };
    this.#send(encodeKeys(id, { keys: keys.map(told), warnings }));
  }

  /** A session that opens, a login and handles that are found say little of whether the token signs. */
  #prove(): void {
    const { token, keys } = this.#footing ?? {};
    const key = keys && cheapest([...keys.values()]);
    if (token && key) {
      const { tokenBusyMs } = this.#configuration;
      if (!whileBusy(token, tokenBusyMs, () => provesKey(token, key.handle, key.key))) {
        const message = `key "${key.label}": the token's signature does not verify`;
        return this.#send(encodeDown({ message, badSignature: true }));
      }
    }
    this.#send(encodeUp());
  }

  /** True if all went well. What may go well later is told to the front; the rest is thrown. */
  #guarded(call: () => void): boolean {
    try {
      call();
      return true;
    } catch (error) {
      const { message, ckr } = failureOf(error);
      if (this.#known === undefined) throw error;
      if (ckr?.retires === 'signer') throw new SignerFailure(ckr.fault === 'pin' ? 'wrong_pin' : 'token', message, ckr);
      this.#letGo(ckr?.retires ?? 'nothing');
      this.#send(encodeDown({ message, badSignature: false }));
      return false;
    }
  }

  #letGo(retired: Retires): void {
    if (retired === 'nothing') return;
    this.#footing = undefined;
    if (retired === 'keys') return;
    this.#loggedIn = false;
    if (retired === 'login') return;
    if (this.#session) closeSession(this.#session);
    this.#session = undefined;
  }
}

/** What failed. Rethrows what is neither the token's nor the module's doing. */
function failureOf(error: unknown): { readonly message: string; readonly ckr: Ckr | undefined } {
  if (error instanceof SignerFailure) return { message: error.message, ckr: error.ckr };
  const code = ckrCodeOf(error);
  if (code === undefined) throw error;
  return { message: describe(error), ckr: ckrOf(code) };
}

/** A signature with an RSA key costs many times one with another. */
function cheapest(keys: readonly TokenKey[]): TokenKey | undefined {
  return keys.find(({ key }) => key.type !== 'rsa') ?? keys[0];
}

function told({ key, label, id, certificateChain }: TokenKey): SignerKey {
  return {
    spki: key.spki.toString('base64'),
    label,
    id,
    certificateChain: certificateChain.map((certificate) => certificate.toString('base64')),
  };
}
