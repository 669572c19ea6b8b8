import type { SignJob } from '../sign-job.js';

/**
 * The jobs that wait for one home (a set of tokens), fair between principals by the token time that they take.
 *
 * Start-time fair queueing: every principal has a clock that its jobs advance by their cost in token time; the principal whose clock
 * is behind goes next. One that comes back from idleness starts at the clock of those who are being served, so that
 * idling earns no credit. An RSA-4096 signature costs about 50 of P-256: counting jobs would let one principal take the token.
 */
export class FairQueue {
  /** As many as there are principals in the configuration. */
  readonly #flows = new Map<string, Flow>();
  /** The clock of the flow that was served last, in microseconds of token time. */
  #clockUs = 0;

  push(job: SignJob): void {
    this.#flowOf(job).jobs.push(job);
  }

  /** Puts a job that was taken before the other jobs of its principal. It was paid for when it was taken first. */
  unshift(job: SignJob): void {
    this.#flowOf(job).jobs.unshift(job);
  }

  /** The job that goes next; undefined if none waits. Those that ended while they waited are dropped on the way. */
  peek(): SignJob | undefined {
    return this.#next()?.jobs[0];
  }

  /** Takes the job that `peek` showed, at a cost in microseconds of token time. */
  take(job: SignJob, costUs: number): void {
    const flow = this.#flowOf(job);
    if (flow.jobs[0] !== job) return;
    flow.jobs.shift();
    this.#clockUs = flow.clockUs;
    flow.clockUs += costUs;
  }

  #flowOf(job: SignJob): Flow {
    let flow = this.#flows.get(job.principal);
    if (!flow) {
      flow = { jobs: [], clockUs: 0 };
      this.#flows.set(job.principal, flow);
    }
    if (flow.jobs.length === 0) flow.clockUs = Math.max(flow.clockUs, this.#clockUs);
    return flow;
  }

  #next(): Flow | undefined {
    let first: Flow | undefined;
    for (const flow of this.#flows.values()) {
      while (flow.jobs[0]?.finished) flow.jobs.shift();
      if (flow.jobs.length > 0 && (!first || flow.clockUs < first.clockUs)) first = flow;
    }
    return first;
  }
}

interface Flow {
  readonly jobs: SignJob[];
  clockUs: number;
}
