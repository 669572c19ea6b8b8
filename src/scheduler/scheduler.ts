import { SignetError } from '../errors.js';
import type { Pool } from '../pool/pool.js';
import type { SignJob } from '../sign-job.js';
import { DeadlineWatch } from './deadline-watch.js';
import { FairQueue } from './fair-queue.js';
import { Pace } from './pace.js';
import { TokenTime } from './token-time.js';

/**
 * Hands jobs to the pool at once where it has room, else lets them wait: bounded, fair between principals, each until its deadline.
 * Jobs wait per home, so that a slow token does not hold up the keys of another.
 */
export class Scheduler {
  readonly #pool: Pool;
  readonly #queueJobsMax: number;
  readonly #homes = new Map<string, Home>();
  readonly #watch = new DeadlineWatch();
  readonly #tokenTime = new TokenTime();
  #queued = 0;
  #unfinished = 0;
  #onIdle: () => void = () => {};

  constructor(pool: Pool, queueJobsMax: number) {
    this.#pool = pool;
    this.#queueJobsMax = queueJobsMax;
    pool.onRoom = () => this.#serve();
    pool.onReturn = (job) => this.#putBack(job);
  }

  /** Jobs that wait for a signer. */
  get queued(): number {
    return this.#queued;
  }

  /** Jobs that were submitted and have not ended. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /** By how much the deadline of an unfinished job is over, in milliseconds; 0 if of none. */
  get overdueMs(): number {
    return this.#watch.overdueMs;
  }

  /**
   * Takes a job, or finishes it `resource_exhausted` if it cannot be served in time. Whoever made the job calls `ended` once
   * when it has ended, however it ended.
   */
  submit(job: SignJob): void {
    this.#unfinished++;
    const home = this.#homeOf(job);
    if (home.queue.size > 0 || !this.#pool.offer(job)) {
      const refusal = this.#whyNot(job, home);
      if (refusal) return job.finish(overloaded(job, refusal));
      home.queue.push(job, this.#tokenTime.expectUs(job));
      this.#queued++;
    }
    if (!job.finished) this.#watch.add(job);
  }

  /** `tokenUs` is 0 if no token worked on the job. */
  ended(job: SignJob, tokenUs: number): void {
    this.#watch.delete(job);
    this.#unfinished--;
    if (job.queued) {
      this.#homeOf(job).queue.remove(job);
      this.#queued--;
    }
    if (tokenUs > 0) this.#tokenTime.learn(job, tokenUs);
    if (this.#unfinished === 0) this.#onIdle();
  }

  /** Resolves when no job is unfinished, or when the time is over. */
  async idle(timeoutMs: number): Promise<void> {
    if (this.#unfinished === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  stop(): void {
    this.#watch.stop();
  }

  #homeOf(job: SignJob): Home {
    let home = this.#homes.get(job.home);
    if (!home) {
      home = { tokens: job.home.split(','), queue: new FairQueue(), pace: new Pace() };
      this.#homes.set(job.home, home);
    }
    return home;
  }

  #serve(): void {
    for (const home of this.#homes.values()) {
      for (let job = home.queue.peek(); job; job = home.queue.peek()) {
        const nowMs = performance.now();
        if (this.#watch.endIfLate(job, nowMs)) continue;
        if (!this.#pool.offer(job)) break;
        if (job.queued) this.#take(job, home, nowMs);
      }
      if (home.queue.size === 0) home.pace.rest();
    }
  }

  #take(job: SignJob, { queue, pace, tokens }: Home, nowMs: number): void {
    const costUs = this.#tokenTime.expectUs(job);
    queue.take(job, costUs);
    this.#queued--;
    pace.handed(costUs, Math.max(1, this.#pool.readySessions(tokens)), nowMs);
  }

  #putBack(job: SignJob): void {
    if (job.finished || this.#pool.offer(job)) return;
    this.#homeOf(job).queue.unshift(job);
    this.#queued++;
  }

  #whyNot(job: SignJob, home: Home): string | undefined {
    const leftMs = job.deadlineMs - performance.now();
    const answerMs = this.#expectedAnswerMs(job, home);
    if (answerMs > leftMs * IN_TIME_SHARE) return `an answer would take ${Math.round(answerMs)} ms`;
    if (this.#queued < this.#queueJobsMax || this.#makeRoom(job, home)) return undefined;
    return `${this.#queueJobsMax} requests wait already`;
  }

  /** The work before it, shared by the sessions of the home; what the session that takes it has begun; its own. */
  #expectedAnswerMs(job: SignJob, { queue, pace, tokens }: Home): number {
    const costUs = this.#tokenTime.expectUs(job);
    const sessions = Math.max(1, this.#pool.readySessions(tokens));
    return ((queue.workBeforeUs(job, costUs) / sessions + JOBS_AHEAD * costUs + costUs) * pace.factor) / 1000;
  }

  /** A full queue is shared too: the principal of whom most waits gives a place to one of whom less waits. */
  #makeRoom(job: SignJob, home: Home): boolean {
    const mine = home.queue.sizeOf(job.principal) + 1;
    let longest: ReturnType<FairQueue['longest']>;
    for (const { queue } of this.#homes.values()) {
      const candidate = queue.longest();
      if (candidate && candidate.size > (longest?.size ?? mine)) longest = candidate;
    }
    const last = longest?.last;
    if (!last) return false;
    last.finish(overloaded(last, `${this.#queueJobsMax} requests wait, most of them yours`));
    return true;
  }
}

/** Jobs that lie at a session before the next that it is handed: one that it works on and one that waits, of which half is done. */
const JOBS_AHEAD = 1.5;

/** Part of a caller's time that the expected answer may take: what is taken on must be done in time, though it is an estimate. */
const IN_TIME_SHARE = 0.6;

interface Home {
  readonly tokens: readonly string[];
  readonly queue: FairQueue;
  readonly pace: Pace;
}

function overloaded(job: SignJob, why: string) {
  const error = new SignetError('resource_exhausted', `the service is overloaded: ${why}; retry later, with back-off`);
  return { ok: false as const, error, queueUs: Math.round((performance.now() - job.arrivedMs) * 1000), tokenUs: 0 };
}
