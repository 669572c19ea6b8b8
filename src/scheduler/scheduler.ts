import { SignetError } from '../errors.js';
import type { Pool } from '../pool/pool.js';
import type { SignJob } from '../sign-job.js';
import { DeadlineWatch } from './deadline-watch.js';
import { FairQueue } from './fair-queue.js';
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
    this.#watch.add(job);
    const home = this.#homeOf(job);
    if (home.waiting === 0 && this.#pool.offer(job)) return;
    const refusal = this.#whyNot(job, home);
    if (refusal) return job.finish(overloaded(job, refusal));
    home.queue.push(job);
    this.#count(job, true);
  }

  /** `tokenUs` is 0 if no token worked on the job. */
  ended(job: SignJob, tokenUs: number): void {
    this.#watch.delete(job);
    this.#unfinished--;
    if (job.queued) this.#count(job, false);
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
      home = { tokens: job.home.split(','), queue: new FairQueue(), waiting: 0 };
      this.#homes.set(job.home, home);
    }
    return home;
  }

  #serve(): void {
    for (const { queue } of this.#homes.values()) {
      for (let job = queue.peek(); job && this.#pool.offer(job); job = queue.peek()) {
        queue.take(job, this.#tokenTime.expectUs(job));
        this.#count(job, false);
      }
    }
  }

  #putBack(job: SignJob): void {
    if (job.finished || this.#pool.offer(job)) return;
    this.#homeOf(job).queue.unshift(job);
    this.#count(job, true);
  }

  #count(job: SignJob, queued: boolean): void {
    if (job.queued === queued) return;
    job.queued = queued;
    const by = queued ? 1 : -1;
    this.#homeOf(job).waiting += by;
    this.#queued += by;
  }

  #whyNot(job: SignJob, home: Home): string | undefined {
    if (this.#queued >= this.#queueJobsMax) return `${this.#queueJobsMax} requests wait already`;
    const waitMs = this.#expectedWaitMs(job, home);
    if (performance.now() + waitMs > job.deadlineMs) return `the wait would be ${Math.round(waitMs)} ms`;
    return undefined;
  }

  /** As if all that waits cost as much as this job; the sessions of the home work side by side. */
  #expectedWaitMs(job: SignJob, home: Home): number {
    const ready = this.#pool.readySigners(home.tokens);
    return (home.waiting * this.#tokenTime.expectUs(job)) / 1000 / Math.max(1, ready);
  }
}

interface Home {
  readonly tokens: readonly string[];
  readonly queue: FairQueue;
  /** Jobs in the queue that have not ended. */
  waiting: number;
}

function overloaded(job: SignJob, why: string) {
  const error = new SignetError('resource_exhausted', `the service is overloaded: ${why}; retry later, with back-off`);
  return { ok: false as const, error, queueUs: Math.round((performance.now() - job.arrivedMs) * 1000), tokenUs: 0 };
}
