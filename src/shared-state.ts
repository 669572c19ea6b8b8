import type { SignetError } from './errors.js';

/**
 * What several fronts of one service would have to share, all of it and nothing else. service.ts puts it together for a front that is
 * alone: quotas and duplicates in its memory (policy/memory-state.ts), the latch in the state folder (latch/), the audit in its file
 * (audit/). Every station is handed the part that it needs and knows no more of where it is kept.
 */
export interface SharedState {
  /** How much of its rate each principal has used. */
  readonly quotas: Quotas;
  /** Which messages were signed lately. */
  readonly duplicates: Duplicates;
  /** Which PINs a token has refused. */
  readonly latch: LoginLatch;
  /** The record of every attempt; undefined: none is kept. */
  readonly audit: AuditTrail | undefined;
}

/** Asked for every signature, so it answers at once: fronts that share would lease parts of a quota and not wait for one another. */
export interface Quotas {
  /** The quota of a name. It is one and the same for a name that comes again, with the rate and burst of the last time. */
  quota(name: string, ratePerS: number, burst: number): Quota;
  /** Forgets the quotas of all other names. */
  keepQuotas(names: ReadonlySet<string>): void;
}

/** A token bucket: so many signatures per second, so many of them at once after a rest. */
export interface Quota {
  /** Takes a signature out: 0. Or takes nothing, and tells in how many milliseconds there will be one. */
  take(): number;
}

/** Asked for every signature too: fronts that share would tell each other of messages afterwards. */
export interface Duplicates {
  /**
   * Whether the same message with the same key and scheme came under another attempt within the window. The first attempt is
   * remembered; an empty attempt id is never that of a retry.
   */
  isDuplicate(message: SignedMessage): boolean;
}

/** Hashes and the attempt id are hexadecimal. */
export interface SignedMessage {
  readonly messageSha256: string;
  readonly spkiSha256: string;
  readonly scheme: number;
  readonly attemptId: string;
}

/**
 * Which PINs tokens have refused, so that none is tried a second time, by whatever process, until somebody has changed the PIN file or
 * said that it may be. What throws, throws SignetError: what is not known must not be tried.
 */
export interface LoginLatch {
  /** What the token with this serial number said to this very PIN, or undefined if it has refused none like it. */
  refusal(serial: string, pin: Uint8Array): Refusal | undefined;
  /** The token refused the PIN. On the disk before it returns. */
  close(refusal: Refusal, pin: Uint8Array): void;
  /** The token took a PIN: what it refused before counts no more. */
  accepted(serial: string): void;
  /**
   * Somebody looked after the token, known by its name in the configuration and, if it has told that, its serial number: what it refused
   * counts no more, and its next login, if it comes soon, may be made though the token warns that it is the last. True if
   * there was something that counted.
   */
  release(token: string, serial?: string): boolean;
  /** Uses up what `release` permitted; false if nothing was, or too long ago. */
  takePermit(token: string): boolean;
}

export interface Refusal {
  /** CK_TOKEN_INFO.serialNumber, without the blanks that fill it up. */
  readonly serial: string;
  /** The token's name in the configuration. */
  readonly token: string;
  /** What the token said, such as `C_Login: CKR_PIN_INCORRECT`. */
  readonly reason: string;
  /** When, in RFC 3339. */
  readonly time: string;
}

/** Where attempts are recorded. */
export interface AuditTrail {
  /** Keeps a line for the attempt; `answer` is called when it is written, with the failure if the attempt must be refused. */
  record(record: AttemptRecord, answer: (failure: SignetError | undefined) => void): void;
}

/** One attempt to get a signature. Times are microseconds; `sha256` is of what was to be signed, in hexadecimal. */
export interface AttemptRecord {
  readonly principal: string;
  /** Who it was for the operating system or TLS: see describeCaller. */
  readonly caller: string;
  readonly key: string;
  readonly label: string;
  readonly use: string;
  readonly scheme: string;
  /** `ok`, or an ErrorWord. */
  readonly outcome: string;
  /** The token that worked on it last; empty if none did. */
  readonly token: string;
  readonly queueUs: number;
  readonly tokenUs: number;
  readonly sha256: string;
  /** The caller's attempt_id in hexadecimal, empty if it sent none: a retry has that of the first try. */
  readonly attempt: string;
}
