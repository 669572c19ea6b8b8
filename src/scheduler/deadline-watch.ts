import { SignetError } from '../errors.js';
import { Row } from '../row.js';
import type { SignJob } from '../sign-job.js';

/**
 * Ends every job whose caller has stopped waiting, wherever the job is. One sweep for all: a timer per job
 * would cost more than the job's way through the front.
 */
export class DeadlineWatch {
  readonly #jobs = new Row<SignJob>();
  #timer: NodeJS.Timeout | undefined;

  get overdueMs(): number {
    const nowMs = performance.now();
    let overdueMs = 0;
    for (const { deadlineMs } of this.#jobs) overdueMs = Math.max(overdueMs, nowMs - deadlineMs);
    return overdueMs;
  }

  add(job: SignJob): void {
    job.watched = this.#jobs.add(job);
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS);
  }

  /** To be called when a job has ended. */
  delete(job: SignJob): void {
    if (job.watched) this.#jobs.remove(job.watched);
    job.watched = undefined;
  }

  /** Ends a job whose caller has stopped waiting; whether it did. */
  endIfLate(job: SignJob, nowMs: number): boolean {
    if (job.deadlineMs > nowMs) return false;
    job.finish(late(job, nowMs));
    return true;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #sweep(): void {
    if (this.#jobs.size === 0) return this.stop();
    const nowMs = performance.now();
    for (const job of this.#jobs) this.endIfLate(job, nowMs);
  }
}

/** A caller is answered at most this long after its deadline; the goal is 50 ms (reliability goal F4). */
const SWEEP_MS = 20;

function late(job: SignJob, nowMs: number) {
  const waitedMs = Math.round(nowMs - job.arrivedMs);
  const where = job.handedMs === 0 ? 'waiting for a session' : 'at the token';
  const error = new SignetError(
    'deadline_exceeded',
    `no signature within the ${waitedMs} ms that the caller waited (${where})`,
  );
  return {
    ok: false as const,
    error,
    queueUs: Math.round(((job.handedMs || nowMs) - job.arrivedMs) * 1000),
    tokenUs: 0,
  };
}
