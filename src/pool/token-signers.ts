import type { Logger } from 'pino';
import type { TokenConfig } from '../config/schema.js';
import type { SignJob } from '../sign-job.js';
import type { AnswerFrame, KeysReport } from './messages.js';
import type { SignerView } from './pool.js';
import { restartDelayMs, STABLE_MS } from './restart-delay.js';
import { type EndReason, SignerHandle } from './signer-handle.js';
import { type TokenKeys, tokenKeysOf } from './token-keys.js';

export interface TokenListener {
  onKeysChanged(): void;
  onSignersChanged(): void;
  onRoom(): void;
  onAnswer(job: SignJob, answer: AnswerFrame, token: TokenSigners): void;
  /** Jobs that a dead signer left. */
  onOrphans(jobs: readonly SignJob[]): void;
}

/** A place for a signer. It is filled again when its signer has died. */
interface Place {
  signer: SignerHandle | undefined;
  /** Waits for the end of its back-off. */
  timer: NodeJS.Timeout | undefined;
  readyMs: number;
  deathsInARow: number;
  starts: number;
  /** Made by the signers that were here before. */
  signatures: number;
  lastError: string;
}

/**
 * The signers of one token: keeps their places filled.
 *
 * A wrong PIN must cost one login, not one for each signer: as long as no signer has proven the PIN, one starts alone. When the
 * token refuses the PIN, or makes a signature that does not verify, the token is shut: no signer starts until the service does.
 */
export class TokenSigners {
  readonly config: TokenConfig;
  readonly #log: Logger;
  readonly #readPin: (token: TokenConfig) => Buffer;
  readonly #listener: TokenListener;
  readonly #places: Place[];
  #keys: TokenKeys = tokenKeysOf([]);
  /** What was said of the token's objects last. */
  #warnings: ReadonlySet<string> = new Set();
  #pinProven = false;
  #toldOnce = false;
  #closing = false;
  /** Why no signer is to be started any more. */
  #shutBecause: string | undefined;
  #onEmpty: () => void = () => {};

  constructor(config: TokenConfig, log: Logger, readPin: (token: TokenConfig) => Buffer, listener: TokenListener) {
    this.config = config;
    this.#log = log.child({ token: config.name });
    this.#readPin = readPin;
    this.#listener = listener;
    this.#places = Array.from({ length: config.signers }, () => newPlace());
  }

  get keys(): TokenKeys {
    return this.#keys;
  }

  /** Whether the key is here and a signer lives or will be replaced. */
  holds(spkiSha256: string): boolean {
    return this.#shutBecause === undefined && !this.#closing && this.#keys.bySpki.has(spkiSha256);
  }

  /** Whether there is nothing more to be learnt about its keys at the start. */
  get keysKnown(): boolean {
    return this.#toldOnce || this.#shutBecause !== undefined;
  }

  /** The signers that live. */
  get signers(): SignerHandle[] {
    return this.#places.flatMap(({ signer }) => (signer ? [signer] : []));
  }

  views(): SignerView[] {
    return this.#places.map(({ signer, signatures, starts, lastError }) => ({
      token: this.config.name,
      pid: signer?.pid ?? 0,
      state: signer?.state ?? 'dead',
      inFlight: signer?.inFlight ?? 0,
      signatures: signatures + (signer?.signatures ?? 0),
      restarts: Math.max(0, starts - 1),
      lastError: (this.#shutBecause ?? lastError).slice(0, LAST_ERROR_CHARACTERS_MAX),
    }));
  }

  /** Fills the places that may be filled now. */
  fill(): void {
    for (const place of this.#places) {
      if (this.#closing || this.#shutBecause !== undefined) return;
      if (place.signer || place.timer || !this.#mayStart()) continue;
      this.#start(place);
    }
  }

  /** Takes the token out of use for good and kills its signers: what they hold may be as wrong. */
  quarantine(why: string): void {
    if (this.#shutBecause !== undefined) return;
    this.#shut(`quarantined: ${why}`, 'restart the service when the token has been examined');
    for (const signer of this.signers) signer.kill('stopped', 'the token is quarantined');
  }

  /** Drains the signers, and kills those that have not ended in time. */
  async close(timeoutMs: number): Promise<void> {
    this.#closing = true;
    for (const place of this.#places) clearTimeout(place.timer);
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

  #start(place: Place): void {
    place.starts++;
    try {
      place.signer = new SignerHandle(this.config, this.#readPin(this.config), this.#log, {
        onKeys: (report) => this.#toldKeys(place, report),
        onAnswer: (job, answer) => this.#listener.onAnswer(job, answer, this),
        onEnd: (reason, message, jobs) => this.#ended(place, reason, message, jobs),
      });
    } catch (error) {
      this.#ended(place, 'died', `the signer cannot be started: ${(error as Error).message}`, []);
    }
  }

  #toldKeys(place: Place, report: KeysReport): void {
    const { signer } = place;
    if (!signer) return;
    this.#logWarnings(report.warnings);
    const keys = this.#keys.isOf(report.keys) ? this.#keys : tokenKeysOf(report.keys);
    signer.useKeys(keys.bySpki.keys());
    this.#log.info(
      { signer: signer.pid, keys: keys.bySpki.size },
      place.readyMs ? 'keys refreshed' : 'signer is ready',
    );
    place.readyMs ||= performance.now();
    this.#pinProven = true;
    this.#toldOnce = true;
    if (keys !== this.#keys) {
      this.#keys = keys;
      this.#listener.onKeysChanged();
    }
    this.#listener.onSignersChanged();
    this.#listener.onRoom();
    this.fill();
  }

  /** Every signer of the token has the same to say. */
  #logWarnings(warnings: readonly string[]): void {
    const news = warnings.filter((warning) => !this.#warnings.has(warning));
    for (const warning of news) this.#log.warn({ warning }, 'object of the token');
    this.#warnings = new Set(warnings);
  }

  #ended(place: Place, reason: EndReason, message: string, jobs: readonly SignJob[]): void {
    const stable = place.readyMs > 0 && performance.now() - place.readyMs > STABLE_MS;
    place.deathsInARow = stable ? 1 : place.deathsInARow + 1;
    place.signatures += place.signer?.signatures ?? 0;
    place.readyMs = 0;
    place.signer = undefined;
    if (!this.signers.some(({ state }) => state === 'ready')) this.#pinProven = false;
    if (reason !== 'stopped') this.#logEnd(place, reason, message);
    if (reason === 'wrong_pin') this.#shut(`wrong PIN: ${message}`, 'correct the PIN and restart the service');
    this.#fillLater(place);
    this.#listener.onOrphans(jobs);
    this.#listener.onSignersChanged();
    if (this.signers.length === 0) this.#onEmpty();
  }

  #logEnd(place: Place, reason: EndReason, message: string): void {
    place.lastError = message;
    this.#log.error({ reason, error: message, deaths_in_a_row: place.deathsInARow }, 'signer ended');
  }

  #fillLater(place: Place): void {
    if (this.#closing || this.#shutBecause !== undefined) return;
    const delayMs = restartDelayMs(place.deathsInARow);
    if (delayMs === 0) return this.fill();
    place.timer = setTimeout(() => {
      place.timer = undefined;
      this.fill();
    }, delayMs);
  }

  #shut(why: string, remedy: string): void {
    this.#shutBecause = why;
    for (const place of this.#places) {
      clearTimeout(place.timer);
      place.timer = undefined;
    }
    this.#log.error({ error: why, remedy }, 'token is out of use');
    this.#listener.onRoom();
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
    lastError: '',
  };
}
