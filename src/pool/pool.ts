import type { ServedKey } from '../keys/served-key.js';
import type { SignJob } from '../sign-job.js';

/** What the scheduler and the administration see of the signers; src/pool/supervisor.ts makes one. */
export interface Pool {
  /**
   * Hands a job to the signer that holds its key and has the fewest jobs, if one has room (2 jobs per session at most lie at a
   * signer: one that it works on and one that waits, so that the token is never idle). False if none has room now.
   * A finished job is not handed on; true then. One whose tokens are all out of use is finished `unavailable`; true as well.
   * A job that was lost once goes to another token, if one can sign with its key.
   */
  offer(job: SignJob): boolean;
  /** Whether a signer that lives or will be replaced holds the key. */
  holds(spkiSha256: string): boolean;
  /** Called whenever a signer has room again, or the set of keys has changed. One listener: the scheduler. */
  onRoom: () => void;
  /**
   * Called with a job whose signer died or was killed while it lay there, and that may be tried again (once, if it may be why;
   * up to 8 signers if it was not): it goes to the head of the queue. Other such jobs are finished `unavailable` by the pool.
   */
  onReturn: (job: SignJob) => void;
  /** Called when the keys that the tokens hold have changed. One listener: the key ring. */
  onKeys: (keys: readonly ServedKey[]) => void;
  /** Called when a signer has become ready or has ended. One listener: the health service. */
  onSigners: () => void;
  /** Whether every token has told its keys once, or is out of use. Before, a key that is not known may be one of a token that is late. */
  allKeysKnown(): boolean;
  signers(): readonly SignerView[];
  /** How each token is, in the order of the configuration. */
  tokens(): readonly TokenView[];
  /** Takes a token out of use by hand: the jobs at its signers are done, then they end. Or puts it back. False: no such token. */
  setTokenDrained(token: string, drained: boolean): boolean;
  /** Lets a PIN be tried that a token refused or warned of. Whether there was such a thing; undefined: no such token. Throws SignetError. */
  unlatchToken(token: string): boolean | undefined;
  /** How many sessions of these tokens are ready. Asked for every job that must wait: `signers` would be too much. */
  readySessions(tokens: readonly string[]): number;
  /** Lets every signer look for its keys again; resolves when all living ones have answered. */
  refreshKeys(): Promise<void>;
  /** Takes no new jobs, waits for those at the signers until the time is over, ends the signers by closing their sockets, then by SIGKILL. */
  close(timeoutMs: number): Promise<void>;
}

/**
 * starting: not logged in yet. ready: takes jobs. recovering: it lost its session, login or keys, or its token is in doubt; it takes jobs
 * when it has made a signature again. draining: ends when its last job is done. dead: waits for its back-off to be replaced.
 */
export type SignerState = 'starting' | 'ready' | 'recovering' | 'draining' | 'dead';

/**
 * serving: a signer takes jobs. down: none does now; they start, recover, or wait for their back-off. failing: it failed too often, its
 * breaker is open: jobs for it are refused at once, until a probe, one a second, succeeds. draining: drained by hand, the last jobs are
 * being done. drained: by hand, it has no signers. latched: its PIN is not to be tried. quarantined: it made a signature that does
 * not verify.
 */
export const TOKEN_STATES = ['serving', 'down', 'failing', 'draining', 'drained', 'latched', 'quarantined'] as const;
export type TokenState = (typeof TOKEN_STATES)[number];

export interface TokenView {
  readonly name: string;
  readonly state: TokenState;
  /** Why it is failing, latched or quarantined, and what to do; else empty. */
  readonly reason: string;
  /** How often its breaker has opened. */
  readonly breakerOpenings: number;
}

export interface SignerView {
  readonly token: string;
  readonly pid: number;
  readonly state: SignerState;
  readonly inFlight: number;
  readonly signatures: number;
  readonly restarts: number;
  /** How often it was ready again without being replaced. */
  readonly recoveries: number;
  readonly lastError: string;
}
