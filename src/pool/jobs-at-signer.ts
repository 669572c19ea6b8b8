import type { SignJob } from '../sign-job.js';

/** One that a session works on and one that waits for it, so that the token is never idle and little is lost with a signer. */
const JOBS_PER_SESSION = 2;
/**
 * Where the token is faster than a process is woken, two would leave it idle, and each would cost a wake-up: then a session has as
 * many as it makes in this time, in microseconds, up to so many (docs/performance.md).
 */
const WORK_PER_SESSION_US = 1000;
const SHORT_JOBS_PER_SESSION_MAX = 32;
/** Weight of the newest signature in what one is expected to take; it counts as at most so many of those before, since the odd one is delayed. */
const NEWEST_WEIGHT = 0.05;
const LONGER_MAX = 3;

interface Entry {
  readonly job: SignJob;
  /** By performance.now(), in milliseconds; undefined while no session is free for it. */
  begunMs: number | undefined;
}

/** The jobs that a signer left unanswered when it ended. */
export interface Orphans {
  /** What it worked on: one of them may be why it ended. */
  readonly suspects: readonly SignJob[];
  /** What lay there by chance. */
  readonly bystanders: readonly SignJob[];
}

/** The jobs that lie at a signer. It begins them in the order in which they were handed to it, as many at once as it has sessions. */
export class JobsAtSigner {
  readonly #sessions: number;
  readonly #entries = new Map<number, Entry>();
  /** Those that are not begun. */
  readonly #behind = new Set<Entry>();
  /** What a job takes the token, in microseconds; none was made yet. */
  #jobUs = Number.POSITIVE_INFINITY;

  constructor(sessions: number) {
    this.#sessions = sessions;
  }

  get size(): number {
    return this.#entries.size;
  }

  get hasRoom(): boolean {
    const { size } = this.#entries;
    if (size < JOBS_PER_SESSION * this.#sessions) return true;
    if (size >= SHORT_JOBS_PER_SESSION_MAX * this.#sessions) return false;
    return (size + 1) * this.#jobUs <= WORK_PER_SESSION_US * this.#sessions;
  }

  /** The token has made a signature in so many microseconds. */
  learn(tokenUs: number): void {
    const before = this.#jobUs === Number.POSITIVE_INFINITY ? tokenUs : this.#jobUs;
    this.#jobUs = before + NEWEST_WEIGHT * (Math.min(tokenUs, LONGER_MAX * before) - before);
  }

  add(id: number, job: SignJob): void {
    const entry: Entry = { job, begunMs: undefined };
    if (this.#entries.size - this.#behind.size < this.#sessions) entry.begunMs = performance.now();
    else this.#behind.add(entry);
    this.#entries.set(id, entry);
  }

  /** Takes out a job that was answered: its session goes on to the next. Undefined if there is none of this id. */
  take(id: number): SignJob | undefined {
    const entry = this.#entries.get(id);
    if (!entry) return undefined;
    this.#entries.delete(id);
    if (this.#behind.delete(entry)) return entry.job;
    for (const next of this.#behind) {
      next.begunMs = performance.now();
      this.#behind.delete(next);
      break;
    }
    return entry.job;
  }

  /** Since when the longest of them has been worked on, by performance.now(); undefined if none is. */
  get oldestBegunMs(): number | undefined {
    for (const { begunMs } of this.#entries.values()) return begunMs;
    return undefined;
  }

  /** All of them; none is left. `blameless`: the signer was ended by something that no job can have done. */
  takeAll(blameless: boolean): Orphans {
    const suspects: SignJob[] = [];
    const bystanders: SignJob[] = [];
    for (const entry of this.#entries.values())
      (blameless || this.#behind.has(entry) ? bystanders : suspects).push(entry.job);
    this.#entries.clear();
    this.#behind.clear();
    return { suspects, bystanders };
  }
}
