import type { SignJob } from '../sign-job.js';

/** What a signature is expected to cost in token time, learnt from those that were made. Microseconds. */
export class TokenTime {
  readonly #meanUs = new Map<string, number>();

  expectUs(job: SignJob): number {
    return this.#meanUs.get(job.costClass) ?? FIRST_GUESS_US;
  }

  learn(job: SignJob, tokenUs: number): void {
    const meanUs = this.#meanUs.get(job.costClass);
    this.#meanUs.set(job.costClass, meanUs === undefined ? tokenUs : meanUs + WEIGHT * (tokenUs - meanUs));
  }
}

/** Of the order of an HSM's P-256 signature; the first answer corrects it. */
const FIRST_GUESS_US = 1_000;

/** Weight of the newest observation: half of a change is learnt within about 14 signatures. */
const WEIGHT = 0.05;
