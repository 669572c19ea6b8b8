import type { Measured } from '../measured.js';
import { curveOf, quantile } from '../statistics.js';

export type Outcome = 'signed' | 'refused' | 'failed';

export interface LoadRunWish {
  /** Closed loop: so many are under way at any time. */
  readonly inFlight?: number;
  /** Open loop: so many are due in each second, whatever becomes of them. */
  readonly rate?: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly patienceMs?: number;
}

/** Begins the nth request; `ended` is called once, later. */
export type Begin = (n: number, ended: (outcome: Outcome) => void) => void;

/** Unanswered requests beyond which one that is due counts as failed. */
const PENDING_MAX = 65_536;
/** How long answers may still come when the time is over, if the wish does not say, in milliseconds. */
const PATIENCE_MS = 6_000;

/**
 * One load, closed or open. In an open loop a latency counts from when the request was due, not from when it could be sent, so that a
 * stall of the service, or of this process, is not left out of the picture (coordinated omission).
 */
export class LoadRun {
  readonly #wish: LoadRunWish;
  readonly #tell: (moment: { news: 'begin' | 'end' }) => void;
  readonly #startMs = performance.now();
  readonly #beginMs: number;
  readonly #endMs: number;
  readonly #latenciesUs: number[] = [];
  readonly #refusedUs: number[] = [];
  #sent = 0;
  #pending = 0;
  /** Whether more may be due in an open loop: its timer may come late, after the last answer. */
  #moreIsDue = false;
  #answeredInTime = 0;
  #failed = 0;
  #begin: Begin = () => undefined;

  constructor(wish: LoadRunWish, tell: (moment: { news: 'begin' | 'end' }) => void) {
    this.#wish = wish;
    this.#tell = tell;
    this.#beginMs = this.#startMs + wish.warmupSeconds * 1000;
    this.#endMs = this.#beginMs + wish.seconds * 1000;
  }

  async make(begin: Begin): Promise<Measured> {
    this.#begin = begin;
    const cpu = this.#watchCpu();
    if (this.#wish.rate === undefined)
      for (let i = 0; i < (this.#wish.inFlight ?? 1); i++) this.#send(performance.now());
    else {
      this.#moreIsDue = true;
      this.#sendWhatIsDue(this.#wish.rate);
    }
    await untilMs(this.#endMs);
    const cpuUs = cpu();
    this.#tell({ news: 'end' });
    while (
      (this.#pending > 0 || this.#moreIsDue) &&
      performance.now() < this.#endMs + (this.#wish.patienceMs ?? PATIENCE_MS)
    )
      await untilMs(performance.now() + 5);
    this.#moreIsDue = false;
    this.#failed += this.#pending;
    return this.#measured(cpuUs);
  }

  /** All that has become due, and again when the next is. */
  #sendWhatIsDue(rate: number): void {
    const now = performance.now();
    while (this.#moreIsDue) {
      const dueMs = this.#startMs + (this.#sent * 1000) / rate;
      if (dueMs >= this.#endMs) this.#moreIsDue = false;
      else if (dueMs <= now) this.#send(dueMs);
      else break;
    }
    if (!this.#moreIsDue) return;
    // A timer comes late by a millisecond or so, which counts: to wait by spinning would take the CPU from the service.
    setTimeout(() => this.#sendWhatIsDue(rate), this.#startMs + (this.#sent * 1000) / rate - now);
  }

  #send(dueMs: number): void {
    const n = this.#sent++;
    if (this.#pending >= PENDING_MAX) {
      this.#failed += 1;
      return;
    }
    this.#pending += 1;
    this.#begin(n, (outcome) => this.#answered(dueMs, outcome));
  }

  #answered(dueMs: number, outcome: Outcome): void {
    const now = performance.now();
    this.#pending -= 1;
    if (dueMs >= this.#beginMs) this.#note((now - dueMs) * 1000, now <= this.#endMs, outcome);
    if (this.#wish.rate === undefined && now < this.#endMs) this.#send(now);
  }

  #note(latencyUs: number, inTime: boolean, outcome: Outcome): void {
    if (outcome === 'failed') this.#failed += 1;
    if (outcome === 'refused') this.#refusedUs.push(latencyUs);
    if (outcome !== 'signed') return;
    this.#latenciesUs.push(latencyUs);
    if (inTime) this.#answeredInTime += 1;
  }

  /** Gives the CPU time since the measured part began when it is asked. */
  #watchCpu(): () => number {
    let before = process.cpuUsage();
    setTimeout(() => {
      before = process.cpuUsage();
      this.#tell({ news: 'begin' });
    }, this.#beginMs - performance.now());
    return () => {
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
  }

  #measured(cpuUs: number): Measured {
    const { seconds } = this.#wish;
    const sorted = Float64Array.from(this.#latenciesUs).sort();
    const refused = Float64Array.from(this.#refusedUs).sort();
    return {
      count: sorted.length,
      seconds,
      per_second: this.#answeredInTime / seconds,
      p50_us: quantile(sorted, 0.5),
      p90_us: quantile(sorted, 0.9),
      p99_us: quantile(sorted, 0.99),
      p999_us: quantile(sorted, 0.999),
      max_us: quantile(sorted, 1),
      cpu_us: sorted.length > 0 ? cpuUs / sorted.length : 0,
      curve: curveOf(sorted),
      failed: this.#failed,
      refused: refused.length,
      refused_per_second: refused.length / seconds,
      refused_p99_us: quantile(refused, 0.99),
    };
  }
}

function untilMs(whenMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, whenMs - performance.now()));
}
