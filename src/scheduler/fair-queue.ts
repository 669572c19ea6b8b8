import { type Place, Row } from '../row.js';
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
  /** Those of whom something waits. */
  readonly #waiting = new Row<Flow>();
  /** The clock of the flow that was served last, in microseconds of token time. */
  #clockUs = 0;
  #size = 0;

  /** How many jobs wait. */
  get size(): number {
    return this.#size;
  }

  /** `costUs` is what the job is expected to cost in token time. */
  push(job: SignJob, costUs: number): void {
    const flow = this.#join(job);
    job.queued = flow.jobs.add(job);
    // Never 0: that is how one that came back is known.
    job.unpaidUs = Math.max(1, costUs);
    flow.workUs += job.unpaidUs;
  }

  /** Puts a job that was taken before the other jobs of its principal. It was paid for when it was taken first. */
  unshift(job: SignJob): void {
    job.queued = this.#join(job).returned.add(job);
    job.unpaidUs = 0;
  }

  /** The job that goes next; undefined if none waits. */
  peek(): SignJob | undefined {
    let first: Flow | undefined;
    for (const flow of this.#waiting) if (!first || flow.clockUs < first.clockUs) first = flow;
    return first && (first.returned.last ?? first.jobs.first);
  }

  /** Takes the job that `peek` showed, at a cost in microseconds of token time. */
  take(job: SignJob, costUs: number): void {
    const flow = this.#flows.get(job.principal);
    if (!flow) return;
    this.#clockUs = flow.clockUs;
    if (job.unpaidUs > 0) flow.clockUs += costUs;
    this.remove(job);
  }

  /** Takes a job out that ended while it waited: nothing of it stays here. */
  remove(job: SignJob): void {
    const flow = this.#flows.get(job.principal);
    if (!flow || !job.queued) return;
    (job.unpaidUs > 0 ? flow.jobs : flow.returned).remove(job.queued);
    flow.workUs -= job.unpaidUs;
    job.queued = undefined;
    this.#size--;
    if (!flow.waiting || flow.jobs.size + flow.returned.size > 0) return;
    this.#waiting.remove(flow.waiting);
    flow.waiting = undefined;
  }

  /** The token time of what goes before a new job of this cost: all of its own principal, and of each other as much as is fair. */
  workBeforeUs({ principal }: SignJob, costUs: number): number {
    const own = this.#flows.get(principal);
    const ownUs = own?.workUs ?? 0;
    let beforeUs = ownUs;
    for (const flow of this.#waiting) {
      if (flow !== own) beforeUs += Math.min(flow.workUs, ownUs + costUs);
    }
    return beforeUs;
  }

  /** How many jobs of a principal wait. */
  sizeOf(principal: string): number {
    return this.#flows.get(principal)?.jobs.size ?? 0;
  }

  /** Of the principal of whom most jobs wait: how many, and which of them came last. */
  longest(): { readonly size: number; readonly last: SignJob | undefined } | undefined {
    let longest: Flow | undefined;
    for (const flow of this.#waiting) if (flow.jobs.size > (longest?.jobs.size ?? 0)) longest = flow;
    return longest && { size: longest.jobs.size, last: longest.jobs.last };
  }

  /** The flow of a principal of whom one more waits now. */
  #join({ principal }: SignJob): Flow {
    const flow = this.#flows.get(principal) ?? this.#newFlow(principal);
    if (!flow.waiting) {
      flow.clockUs = Math.max(flow.clockUs, this.#clockUs);
      flow.workUs = 0;
      flow.waiting = this.#waiting.add(flow);
    }
    this.#size++;
    return flow;
  }

  #newFlow(principal: string): Flow {
    const flow: Flow = { jobs: new Row(), returned: new Row(), clockUs: 0, workUs: 0, waiting: undefined };
    this.#flows.set(principal, flow);
    return flow;
  }
}

/** What waits of one principal. */
interface Flow {
  /** In the order in which they came. */
  readonly jobs: Row<SignJob>;
  /** Came back from a signer that died; the last one goes first. */
  readonly returned: Row<SignJob>;
  clockUs: number;
  /** What `jobs` are expected to cost together. */
  workUs: number;
  /** Its place among those of whom something waits. */
  waiting: Place | undefined;
}
