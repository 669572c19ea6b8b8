import type { Logger } from 'pino';
import type { TokenConfig } from '../config/schema.js';
import { type ErrorWord, SignetError } from '../errors.js';
import type { ServedKey } from '../keys/served-key.js';
import type { LoginLatch } from '../shared-state.js';
import type { SignJob } from '../sign-job.js';
import type { Orphans } from './jobs-at-signer.js';
import type { AnswerFrame } from './messages.js';
import type { Pool, SignerView, TokenView } from './pool.js';
import type { SignerHandle } from './signer-handle.js';
import { mergeKeys } from './token-keys.js';
import { type TokenListener, TokenSigners } from './token-signers.js';

/** How many signers a job may be handed to: one that dies with it, or whose token fails, and one more. */
const ATTEMPTS_MAX = 2;
/**
 * The same for a job that is not to blame. It met a lost session: when a token restarts, every signer finds that out by a job. Or it lay at a
 * signer that was killed, or behind the job that killed it: when several end together, the next may be as dead already.
 */
const BLAMELESS_ATTEMPTS_MAX = 8;

/**
 * Starts the signers of the tokens; they are ready some tenths of a second later, which onKeys and onRoom tell.
 * `readPin` gives a buffer that the pool wipes; it is asked at each login.
 */
export function createPool(
  tokens: readonly TokenConfig[],
  log: Logger,
  readPin: (token: TokenConfig) => Buffer,
  latch: LoginLatch,
): Pool {
  return new Supervisor(tokens, log, readPin, latch);
}

class Supervisor implements Pool, TokenListener {
  onRoom: () => void = () => {};
  onReturn: (job: SignJob) => void = (job) => this.#fail(job, 'unavailable', 'the signer ended');
  onKeys: (keys: readonly ServedKey[]) => void = () => {};
  onSigners: () => void = () => {};

  readonly #log: Logger;
  readonly #tokens: readonly TokenSigners[];
  #closing = false;
  /** The signers of all tokens as of the last change; one that has not told its keys yet may be missing. An offer must not gather them. */
  #signers: readonly SignerHandle[] = [];
  /** Where the search for a signer begins: it moves, so that equals take turns. */
  #turn = 0;

  constructor(tokens: readonly TokenConfig[], log: Logger, readPin: (token: TokenConfig) => Buffer, latch: LoginLatch) {
    this.#log = log;
    this.#tokens = tokens.map((token) => new TokenSigners(token, log, readPin, latch, this));
    for (const token of this.#tokens) token.fill();
  }

  offer(job: SignJob): boolean {
    if (job.finished) return true;
    if (this.#closing) return false;
    const signer = this.#leastLoaded(job.key.spkiSha256, this.#elsewhere(job));
    if (!signer) return this.#isHopeless(job);
    job.attempts++;
    job.handedMs = performance.now();
    signer.hand(job);
    return true;
  }

  holds(spkiSha256: string): boolean {
    return this.#tokens.some((token) => token.holds(spkiSha256));
  }

  allKeysKnown(): boolean {
    return this.#tokens.every((token) => token.keysKnown);
  }

  signers(): readonly SignerView[] {
    return this.#tokens.flatMap((token) => token.views());
  }

  tokens(): readonly TokenView[] {
    return this.#tokens.map((token) => token.view());
  }

  setTokenDrained(name: string, drained: boolean): boolean {
    const token = this.#tokenNamed(name);
    token?.setDrained(drained);
    return token !== undefined;
  }

  unlatchToken(name: string): boolean | undefined {
    return this.#tokenNamed(name)?.unlatch();
  }

  readySessions(tokens: readonly string[]): number {
    let ready = 0;
    for (const { state, token, sessions } of this.#signers)
      if (state === 'ready' && tokens.includes(token)) ready += sessions;
    return ready;
  }

  async refreshKeys(): Promise<void> {
    const signers = this.#tokens.flatMap((token) => token.signers);
    await Promise.all(signers.map((signer) => signer.refresh()));
  }

  async close(timeoutMs: number): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#tokens.map((token) => token.close(timeoutMs)));
  }

  onKeysChanged(): void {
    this.#guarded(() => this.onKeys(mergeKeys(this.#tokens.map(({ config, keys }) => ({ name: config.name, keys })))));
  }

  onRoomChanged(): void {
    this.#guarded(() => this.onRoom());
  }

  onSignersChanged(): void {
    this.#signers = this.#tokens.flatMap((token) => token.signers);
    this.#guarded(() => this.onSigners());
  }

  onAnswer(job: SignJob, answer: AnswerFrame, token: TokenSigners): void {
    switch (answer.status) {
      case 'ok':
        this.#succeed(job, answer);
        break;
      case 'misfit':
        this.#fail(job, 'invalid_argument', answer.content.toString(), answer);
        break;
      case 'expired':
        this.#fail(job, 'deadline_exceeded', 'no signature within the time that the caller waited', answer);
        break;
      case 'refused':
        this.#fail(job, 'token_failed', `the token did not make the signature: ${answer.content}`, answer);
        break;
      case 'bad_signature':
        this.#fail(job, 'token_failed', 'the token made a signature that does not verify', answer);
        token.quarantine(answer.content.toString());
        break;
      case 'no_session':
        this.#tryAgain(job, SIGNER_ENDED, BLAMELESS_ATTEMPTS_MAX);
        break;
      case 'token_error':
      case 'busy':
        this.#tryAgain(job, `the token does not make the signature now: ${answer.content}; try again`);
        break;
      case 'unknown_key':
      case 'lost':
        this.#tryAgain(job, SIGNER_ENDED);
    }
    this.onRoomChanged();
  }

  onOrphans({ suspects, bystanders }: Orphans): void {
    for (const job of suspects) this.#tryAgain(job, SIGNER_ENDED);
    for (const job of bystanders) this.#tryAgain(job, SIGNER_ENDED, BLAMELESS_ATTEMPTS_MAX);
  }

  /** The signers for a job: one that was lost goes to another token if it can, since the rest of its own are likely to fail as well. */
  #elsewhere({ attempts, token, key }: SignJob): readonly SignerHandle[] {
    if (attempts === 0) return this.#signers;
    const others = this.#signers.filter((signer) => signer.token !== token && signer.canSignWith(key.spkiSha256));
    return others.length > 0 ? others : this.#signers;
  }

  #tokenNamed(name: string): TokenSigners | undefined {
    return this.#tokens.find(({ config }) => config.name === name);
  }

  /** What waits for tokens that are out of use is refused now, not at its deadline. */
  #isHopeless(job: SignJob): boolean {
    const { spkiSha256 } = job.key;
    if (this.holds(spkiSha256)) return false;
    const homes = this.#tokens.filter(({ keys }) => keys.bySpki.has(spkiSha256)).map((token) => token.view());
    const said = homes.map(({ name, state }) =>
      state === 'serving' ? `${name} fails with it` : `${name} is ${state}`,
    );
    const how = said.join(', ') || 'none has it any more';
    this.#fail(job, 'unavailable', `every token that holds the key is out of use (${how}); see signet status`);
    return true;
  }

  #leastLoaded(spkiSha256: string, signers: readonly SignerHandle[]): SignerHandle | undefined {
    this.#turn++;
    let best: SignerHandle | undefined;
    for (let i = 0; i < signers.length; i++) {
      const signer = signers[(this.#turn + i) % signers.length];
      if (signer?.hasRoomFor(spkiSha256) && (!best || signer.load < best.load)) best = signer;
    }
    return best;
  }

  /** `because` is what the caller is told if this was the last try. */
  #tryAgain(job: SignJob, because: string, attemptsMax = ATTEMPTS_MAX): void {
    if (job.finished) return;
    if (!this.#closing && job.attempts < attemptsMax) this.#guarded(() => this.onReturn(job));
    else this.#fail(job, 'unavailable', because);
  }

  #succeed(job: SignJob, { content, tokenUs }: AnswerFrame): void {
    this.#guarded(() => job.finish({ ok: true, signature: content, queueUs: queueUsOf(job), tokenUs }));
  }

  #fail(job: SignJob, code: ErrorWord, message: string, answer?: AnswerFrame): void {
    const error = new SignetError(code, message);
    const tokenUs = answer?.tokenUs ?? 0;
    this.#guarded(() => job.finish({ ok: false, error, queueUs: queueUsOf(job), tokenUs }));
  }

  /** The listeners are other stations' code: what they throw is logged and must not end the front. */
  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#log.error({ err: error }, 'a listener of the pool failed');
    }
  }
}

const SIGNER_ENDED = 'the signer ended, or lost its session, while it worked on the request; try again';

function queueUsOf(job: SignJob): number {
  return Math.max(0, Math.round((job.handedMs - job.arrivedMs) * 1000));
}
