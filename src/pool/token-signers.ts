import type { Logger } from 'pino';
import type { TokenConfig } from '../config/schema.js';
import type { Hold } from '../login-hold.js';
import type { LoginLatch } from '../shared-state.js';
import type { SignJob } from '../sign-job.js';
import type { Orphans } from './jobs-at-signer.js';
import { LoginGate } from './login-gate.js';
import type { AnswerFrame, DownReport, KeysReport } from './messages.js';
import type { SignerView, TokenState, TokenView } from './pool.js';
import { Recovery } from './recovery.js';
import { restartDelayMs, STABLE_MS } from './restart-delay.js';
import { type EndReason, SignerHandle } from './signer-handle.js';
import { type TokenKeys, tokenKeysOf } from './token-keys.js';

export interface TokenListener {
  onKeysChanged(): void;
  onSignersChanged(): void;
  onRoomChanged(): void;
  onAnswer(job: SignJob, answer: AnswerFrame, token: TokenSigners): void;
  onOrphans(orphans: Orphans): void;
}

/** A place for a signer. It is filled again when its signer has died. */
interface Place {
  signer: SignerHandle | undefined;
  /** Waits for the end of its back-off. */
  timer: NodeJS.Timeout | undefined;
  readyMs: number;
  deathsInARow: number;
  starts: number;
  /** Of the signers that were here before. */
  signatures: number;
  recoveries: number;
  lastError: string;
}

/** Why no signer of a token is started any more. */
interface Shut {
  /** latched: no login is to be tried. quarantined: it made a signature that does not verify. */
  readonly state: 'latched' | 'quarantined';
  readonly why: string;
  readonly remedy: string;
}

/** How often the PIN of a latched token is looked at, whether it is another by now, in milliseconds. */
const PIN_LOOK_MS = 1_000;

/**
 * The signers of one token: keeps their places filled.
 *
 * As long as no signer is ready, one starts alone: what stops it would stop the others as well. When the token refuses the PIN it
 * is latched, until the PIN is another or somebody has looked after it; when it makes a signature that does not verify, it is
 * quarantined until the service starts again. While it is drained by hand it has no signers. While it fails, its Recovery keeps jobs
 * away and its signers trying.
 */
export class TokenSigners {
  readonly config: TokenConfig;
  readonly #log: Logger;
  readonly #gate: LoginGate;
  readonly #recovery: Recovery;
  readonly #listener: TokenListener;
  readonly #places: Place[];
  #keys: TokenKeys = tokenKeysOf([]);
  /** What was said of the token's objects last. */
  #warnings: ReadonlySet<string> = new Set();
  #pinProven = false;
  #toldOnce = false;
  #closing = false;
  #shut: Shut | undefined;
  #pinLook: NodeJS.Timeout | undefined;
  #drained = false;
  #onEmpty: () => void = () => {};

  constructor(
    config: TokenConfig,
    log: Logger,
    readPin: (token: TokenConfig) => Buffer,
    latch: LoginLatch,
    listener: TokenListener,
  ) {
    this.config = config;
    this.#log = log.child({ token: config.name });
    this.#gate = new LoginGate(config, latch, readPin, this.#log, (hold) => this.#hold(hold));
    this.#recovery = new Recovery(this, this.#log);
    this.#listener = listener;
    this.#places = Array.from({ length: config.signers }, () => newPlace());
  }

  get keys(): TokenKeys {
    return this.#keys;
  }

  /**
   * Whether the key is here and may be signed with soon: a signer lives or will be replaced, and the token is not known to fail. Signers of
   * before live on in a latched token.
   */
  holds(spkiSha256: string): boolean {
    if (this.#closing || this.#drained || !this.#keys.bySpki.has(spkiSha256)) return false;
    if (this.#recovery.breaker.state === 'open' || this.#recovery.keyFails(spkiSha256)) return false;
    return this.#shut === undefined || this.#hasReady;
  }

  /** Whether there is nothing more to be learnt about its keys at the start. */
  get keysKnown(): boolean {
    return this.#toldOnce || this.#shut !== undefined;
  }

  view(): TokenView {
    const { because, openings } = this.#recovery.breaker;
    const shut = this.#shut && `${this.#shut.why}; ${this.#shut.remedy}`;
    return { name: this.config.name, state: this.#state, reason: shut ?? because, breakerOpenings: openings };
  }

  get #state(): TokenState {
    if (this.#drained) return this.signers.length > 0 ? 'draining' : 'drained';
    if (this.#shut) return this.#shut.state;
    if (this.#recovery.breaker.state === 'open') return 'failing';
    return this.#hasReady ? 'serving' : 'down';
  }

  get #hasReady(): boolean {
    return this.#places.some(({ signer }) => signer?.state === 'ready');
  }

  /** The signers that live. */
  get signers(): SignerHandle[] {
    return this.#places.flatMap(({ signer }) => (signer ? [signer] : []));
  }

  views(): SignerView[] {
    return this.#places.map(({ signer, signatures, recoveries, starts, lastError }) => ({
      token: this.config.name,
      pid: signer?.pid ?? 0,
      state: signer?.state ?? 'dead',
      inFlight: signer?.inFlight ?? 0,
      signatures: signatures + (signer?.signatures ?? 0),
      restarts: Math.max(0, starts - 1),
      recoveries: recoveries + (signer?.recoveries ?? 0),
      lastError: (this.#shut?.why ?? lastError).slice(0, LAST_ERROR_CHARACTERS_MAX),
    }));
  }

  /** Fills the places that may be filled now. */
  fill(): void {
    for (const place of this.#places) {
      if (!this.isWanted) return;
      if (place.signer || place.timer || !this.#mayStart()) continue;
      this.#start(place);
    }
  }

  /** Takes the token out of use for good and kills its signers: what they hold may be as wrong. */
  quarantine(why: string): void {
    if (this.#shut?.state === 'quarantined') return;
    const remedy = 'restart the service when the token has been examined';
    this.#shutDown({ state: 'quarantined', why: `quarantined: ${why}`, remedy });
    for (const signer of this.signers) signer.kill('stopped', 'the token is quarantined');
  }

  /** Takes the token out of use by hand: its signers end when their jobs are done. Or puts it back. */
  setDrained(drained: boolean): void {
    if (this.#drained === drained) return;
    this.#drained = drained;
    this.#log.warn(drained ? 'token is drained' : 'token is put back into use');
    if (!drained) return this.fill();
    this.#stopTimers();
    for (const signer of this.signers) signer.drain();
    this.#listener.onSignersChanged();
    this.#listener.onRoomChanged();
  }

  /** Somebody says that the PIN may be tried again, once more even if the token warns. True if it was not to be tried. */
  unlatch(): boolean {
    const counted = this.#gate.release();
    if (this.#shut?.state !== 'latched') return counted;
    this.#log.warn('token is unlatched');
    this.#reopen();
    return true;
  }

  /** Drains the signers, and kills those that have not ended in time. */
  async close(timeoutMs: number): Promise<void> {
    this.#closing = true;
    this.#stopTimers();
    this.#recovery.stop();
    clearInterval(this.#pinLook);
    for (const signer of this.signers) signer.drain();
    if (this.signers.length === 0) return;
    const killer = setTimeout(() => this.#killAll(), timeoutMs);
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    clearTimeout(killer);
  }

  #killAll(): void {
    for (const signer of this.signers) signer.kill('stopped', 'not drained in time');
  }

  #mayStart(): boolean {
    return this.#pinProven || !this.#places.some(({ signer, timer }) => timer || signer?.state === 'starting');
  }

  /** Whether it is to have signers just now. */
  get isWanted(): boolean {
    return !this.#closing && !this.#drained && this.#shut === undefined;
  }

  #start(place: Place): void {
    place.starts++;
    try {
      place.signer = new SignerHandle(this.config, this.#log, {
        onLogin: (request) => place.signer && this.#gate.ask(place.signer, request),
        onLoggedIn: () => place.signer && this.#gate.loggedIn(place.signer),
        onKeys: (report) => this.#toldKeys(place, report),
        onLost: () => place.signer && this.#recovery.lost(place.signer),
        onUp: () => this.#isUp(place),
        onDown: (report) => this.#isDown(place, report),
        onAnswer: (job, answer) => this.#answered(place, job, answer),
        onEnd: (reason, message, orphans) => this.#ended(place, reason, message, orphans),
      });
    } catch (error) {
      this.#ended(place, 'died', `the signer cannot be started: ${(error as Error).message}`);
    }
  }

  #toldKeys(place: Place, report: KeysReport): void {
    const { signer } = place;
    if (!signer) return;
    this.#logWarnings(report.warnings);
    const keys = this.#keys.isOf(report.keys) ? this.#keys : tokenKeysOf(report.keys);
    signer.useKeys(this.#usable(keys));
    const isNew = place.readyMs === 0;
    this.#log.info({ signer: signer.pid, keys: keys.bySpki.size }, isNew ? 'signer is ready' : 'keys refreshed');
    place.readyMs ||= performance.now();
    if (isNew) this.#recovery.started(signer);
    this.#pinProven = true;
    this.#toldOnce = true;
    if (keys !== this.#keys) {
      this.#keys = keys;
      this.#listener.onKeysChanged();
    }
    this.#listener.onSignersChanged();
    this.#listener.onRoomChanged();
    this.fill();
  }

  #answered({ signer }: Place, job: SignJob, answer: AnswerFrame): void {
    if (signer) this.#recovery.answered(signer, job.key.spkiSha256, answer);
    this.#listener.onAnswer(job, answer, this);
  }

  #isUp({ signer }: Place): void {
    if (!signer) return;
    this.#recovery.up(signer);
    this.#listener.onSignersChanged();
    this.#listener.onRoomChanged();
  }

  #isDown(place: Place, { message, badSignature }: DownReport): void {
    const { signer } = place;
    if (!signer) return;
    place.lastError = message;
    // Its turn to log in is over, however it was used.
    this.#gate.ended(signer);
    if (badSignature) return this.quarantine(message);
    this.#recovery.down(signer, message);
    this.#listener.onSignersChanged();
  }

  onBreaker(): void {
    for (const signer of this.signers) signer.useKeys(this.#usable(this.#keys));
    this.#listener.onSignersChanged();
    this.#listener.onRoomChanged();
  }

  #usable({ bySpki }: TokenKeys): string[] {
    return [...bySpki.keys()].filter((spkiSha256) => !this.#recovery.keyFails(spkiSha256));
  }

  /** Every signer of the token has the same to say. */
  #logWarnings(warnings: readonly string[]): void {
    const news = warnings.filter((warning) => !this.#warnings.has(warning));
    for (const warning of news) this.#log.warn({ warning }, 'object of the token');
    this.#warnings = new Set(warnings);
  }

  #ended(place: Place, reason: EndReason, message: string, orphans?: Orphans): void {
    const { signer } = place;
    const stable = place.readyMs > 0 && performance.now() - place.readyMs > STABLE_MS;
    if (reason !== 'stopped') place.deathsInARow = stable ? 1 : place.deathsInARow + 1;
    place.signatures += signer?.signatures ?? 0;
    place.recoveries += signer?.recoveries ?? 0;
    const failedToStart = reason === 'token' && place.readyMs === 0;
    place.readyMs = 0;
    place.signer = undefined;
    if (!this.signers.some(({ state }) => state === 'ready')) this.#pinProven = false;
    if (reason !== 'stopped') this.#logEnd(place, reason, message);
    this.#gate.ended(signer, reason === 'wrong_pin' ? message : undefined);
    if (failedToStart) this.#recovery.startFailed(message);
    this.#fillLater(place, failedToStart ? this.#recovery.startDelayMs : 0);
    if (orphans) this.#listener.onOrphans(orphans);
    this.#listener.onSignersChanged();
    // What waits for a token without signers to come is refused now.
    if (!this.isWanted) this.#listener.onRoomChanged();
    if (this.signers.length === 0) this.#onEmpty();
  }

  #logEnd(place: Place, reason: EndReason, message: string): void {
    place.lastError = message;
    this.#log.error({ reason, error: message, deaths_in_a_row: place.deathsInARow }, 'signer ended');
  }

  #fillLater(place: Place, delayMsMin: number): void {
    if (!this.isWanted) return;
    const delayMs = Math.max(delayMsMin, restartDelayMs(place.deathsInARow));
    if (delayMs === 0) return this.fill();
    place.timer = setTimeout(() => {
      place.timer = undefined;
      this.fill();
    }, delayMs);
  }

  /** No login is to be tried: signers that wait for one end. */
  #hold(hold: Hold): void {
    for (const signer of this.signers) if (signer.isClimbing) signer.drain();
    if (this.#shut !== undefined || this.#closing) return;
    this.#shutDown({ state: 'latched', ...hold });
    this.#pinLook = setInterval(() => this.#lookAtPin(), PIN_LOOK_MS).unref();
  }

  #lookAtPin(): void {
    if (!this.#gate.pinHasChanged()) return;
    this.#log.warn('the PIN of the latched token has changed: it is tried');
    this.#reopen();
  }

  #reopen(): void {
    clearInterval(this.#pinLook);
    this.#shut = undefined;
    this.#listener.onSignersChanged();
    this.#recovery.resume();
    this.fill();
  }

  #shutDown(shut: Shut): void {
    clearInterval(this.#pinLook);
    this.#shut = shut;
    this.#stopTimers();
    this.#log.error({ error: shut.why, remedy: shut.remedy }, 'token is out of use');
    this.#listener.onSignersChanged();
    this.#listener.onRoomChanged();
  }

  #stopTimers(): void {
    for (const place of this.#places) {
      clearTimeout(place.timer);
      place.timer = undefined;
    }
  }
}

/** admin.proto: last_error is at most 256 bytes. */
const LAST_ERROR_CHARACTERS_MAX = 200;

function newPlace(): Place {
  return {
    signer: undefined,
    timer: undefined,
    readyMs: 0,
    deathsInARow: 0,
    starts: 0,
    signatures: 0,
    recoveries: 0,
    lastError: '',
  };
}
