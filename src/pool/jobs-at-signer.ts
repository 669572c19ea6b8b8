import { type Place, Row } from '../row.js';
import type { SignJob } from '../sign-job.js';
import { Slots } from '../slots.js';

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
  /** Among those that are begun, or those behind them. */
  place: Place | undefined;
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
  readonly #entries = new Slots<Entry>();
  readonly #begun = new Row<Entry>();
  readonly #behind = new Row<Entry>();
  /** What a job takes the token, in microseconds; none was made yet. */
  #jobUs = Number.POSITIVE_INFINITY;

  constructor(sessions: number) {
    this.#sessions = sessions;
  }

  get size(): number {
    return this.#begun.size + this.#behind.size;
  }

  get hasRoom(): boolean {
    const { size } = this;
    if (size < JOBS_PER_SESSION * this.#sessions) return true;
    if (size >= SHORT_JOBS_PER_SESSION_MAX * this.#sessions) return false;
    return (size + 1) * this.#jobUs <= WORK_PER_SESSION_US * this.#sessions;
  }

  /** The token has made a signature in so many microseconds. */
  learn(tokenUs: number): void {
    const before = this.#jobUs === Number.POSITIVE_INFINITY ? tokenUs : this.#jobUs;
    this.#jobUs = before + NEWEST_WEIGHT * (Math.min(tokenUs, LONGER_MAX * before) - before);
  }

  /** Gives the id under which it is answered. */
  add(job: SignJob): number {
    const entry: Entry = { job, place: undefined, begunMs: undefined };
    if (this.#begun.size < this.#sessions) this.#begin(entry);
    else entry.place = this.#behind.add(entry);
    return this.#entries.add(entry);
  }

  /** Takes out a job that was answered: its session goes on to the next. Undefined if there is none of this id. */
  take(id: number): SignJob | undefined {
    const entry = this.#entries.take(id);
    if (!entry) return undefined;
    if (entry.begunMs === undefined) this.#behind.remove(entry.place as Place);
    else {
      this.#begun.remove(entry.place as Place);
      this.#beginNext();
    }
    return entry.job;
  }

  /** Since when the longest of them has been worked on, by performance.now(); undefined if none is. */
  get oldestBegunMs(): number | undefined {
    return this.#begun.first?.begunMs;
  }

  /** All of them, at the end. `blameless`: the signer was ended by something that no job can have done. */
  leave(blameless: boolean): Orphans {
    const begun = [...this.#begun].map(({ job }) => job);
    const behind = [...this.#behind].map(({ job }) => job);
    return blameless ? { suspects: [], bystanders: [...begun, ...behind] } : { suspects: begun, bystanders: behind };
  }

  #beginNext(): void {
    const next = this.#behind.first;
    if (!next) return;
    this.#behind.remove(next.place as Place);
    this.#begin(next);
  }

  #begin(entry: Entry): void {
    entry.begunMs = performance.now();
    entry.place = this.#begun.add(entry);
  }
}
