import type { SignJob } from '../sign-job.js';

/**
 * The jobs that wait for one home (a set of tokens), fair between principals by the token time that they take.
 *
 * Start-time fair queueing: every principal has a clock that its jobs advance by their cost in token time; the principal whose clock
 * is behind goes next. One that comes back from idleness starts at the clock of those who are being served, so that
 * idling earns no credit. An RSA-4096 signature costs about 50 of P-256: counting jobs would let one principal take the token.
 */
export class FairQueue {
  /** The principals of whom something waits. */
  readonly #flows = new Map<string, Flow>();
  /** Clocks of those of whom nothing waits; as many as there are principals in the configuration. */
  readonly #idleClocksUs = new Map<string, number>();
  /** The clock of the flow that was served last, in microseconds of token time. */
  #clockUs = 0;
  #size = 0;

  /** How many jobs wait. */
  get size(): number {
    return this.#size;
  }

  /** `costUs` is what the job is expected to cost in token time. */
  push(job: SignJob, costUs: number): void {
    const flow = this.#flowOf(job);
    flow.jobs.set(job, costUs);
    flow.workUs += costUs;
    this.#size++;
  }

  /** Puts a job that was taken before the other jobs of its principal. It was paid for when it was taken first. */
  unshift(job: SignJob): void {
    this.#flowOf(job).returned.push(job);
    this.#size++;
  }

  /** The job that goes next; undefined if none waits. */
  peek(): SignJob | undefined {
    let first: Flow | undefined;
    for (const flow of this.#flows.values()) if (!first || flow.clockUs < first.clockUs) first = flow;
    return first && (first.returned.at(-1) ?? first.jobs.keys().next().value);
  }

  /** Takes the job that `peek` showed, at a cost in microseconds of token time. */
  take(job: SignJob, costUs: number): void {
    const flow = this.#flows.get(job.principal);
    if (!flow) return;
    this.#clockUs = flow.clockUs;
    if (flow.jobs.has(job)) flow.clockUs += costUs;
    this.remove(job);
  }

  /** Takes a job out that ended while it waited: nothing of it stays here. */
  remove(job: SignJob): void {
    const flow = this.#flows.get(job.principal);
    if (!flow) return;
    const costUs = flow.jobs.get(job);
    if (costUs !== undefined) {
      flow.jobs.delete(job);
      flow.workUs -= costUs;
      this.#size--;
    } else if (flow.returned.includes(job)) {
      flow.returned.splice(flow.returned.indexOf(job), 1);
      this.#size--;
    }
    if (flow.jobs.size + flow.returned.length > 0) return;
    this.#flows.delete(job.principal);
    this.#idleClocksUs.set(job.principal, flow.clockUs);
  }

  /** The token time of what goes before a new job of this cost: all of its own principal, and of each other as much as is fair. */
  workBeforeUs({ principal }: SignJob, costUs: number): number {
    const ownUs = this.#flows.get(principal)?.workUs ?? 0;
    let beforeUs = ownUs;
    for (const [name, { workUs }] of this.#flows) {
      if (name !== principal) beforeUs += Math.min(workUs, ownUs + costUs);
    }
    return beforeUs;
  }

  /** How many jobs of a principal wait. */
  sizeOf(principal: string): number {
    return this.#flows.get(principal)?.jobs.size ?? 0;
  }

  /** Of the principal of whom most jobs wait: how many, and which of them came last, which takes a walk over all of them. */
  longest(): { readonly size: number; last(): SignJob | undefined } | undefined {
    let longest: Flow | undefined;
    for (const flow of this.#flows.values()) if (flow.jobs.size > (longest?.jobs.size ?? 0)) longest = flow;
    if (!longest) return undefined;
    const { jobs } = longest;
    return { size: jobs.size, last: () => [...jobs.keys()].at(-1) };
  }

  #flowOf({ principal }: SignJob): Flow {
    let flow = this.#flows.get(principal);
    if (!flow) {
      const clockUs = Math.max(this.#idleClocksUs.get(principal) ?? 0, this.#clockUs);
      flow = { jobs: new Map(), returned: [], clockUs, workUs: 0 };
      this.#idleClocksUs.delete(principal);
      this.#flows.set(principal, flow);
    }
    return flow;
  }
}

/** What waits of one principal. */
interface Flow {
  /** With what each was expected to cost, in the order in which they came. A map: a job in the middle can end. */
  readonly jobs: Map<SignJob, number>;
  /** Came back from a signer that died; the last one goes first. */
  readonly returned: SignJob[];
  clockUs: number;
  /** What `jobs` are expected to cost together. */
  workUs: number;
}
