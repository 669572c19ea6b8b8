import { type Algorithm, algorithmOf } from '../algorithms.js';
import type { JobFrame, JobStatus, SignerConfiguration } from '../pool/messages.js';
import { type Patience, whileBusy, whileBusyAside } from './busy-wait.js';
import { type Ckr, ckrCodeOf, ckrOf, describe, type Retires } from './ckr.js';
import type { TokenKey } from './find-keys.js';
import type { Footing } from './ladder.js';
import { type MadeSignature, makeSignature, makeSignatureAside } from './make-signature.js';
import type { SessionThreads } from './session-threads.js';
import type { Token } from './token.js';
import { verificationDue, verifies } from './verify.js';

/** How a job ended here; the content is the signature, or a sentence that says why there is none. */
export interface Served {
  readonly status: JobStatus;
  readonly tokenUs: number;
  readonly content: Buffer;
  /** What the signer has lost by it. */
  readonly retires: Retires;
}

/** What of the configuration holds for jobs. */
export type JobRules = Pick<SignerConfiguration, 'verify' | 'tokenBusyMs'>;

/** Makes one signature, or says why not. `footing` is undefined while the signer is down. Throws nothing. */
export function serveJob(footing: Footing | undefined, rules: JobRules, job: JobFrame): Served {
  const plan = planOf(footing, rules, job);
  if ('status' in plan) return plan;
  const { token, key, algorithm, patience } = plan;
  try {
    const made = whileBusy(token, patience, () =>
      makeSignature(token, key.handle, algorithm, job.input, job.inputIsDigest),
    );
    return judged(plan, rules, job, made);
  } catch (error) {
    return failedBy(error);
  }
}

/** The same in one of several sessions, beside others, when one is free. Rejects never. */
export async function serveJobAside(
  footing: Footing | undefined,
  threads: SessionThreads,
  rules: JobRules,
  job: JobFrame,
): Promise<Served> {
  const plan = planOf(footing, rules, job);
  if ('status' in plan) return plan;
  const { key, algorithm, patience } = plan;
  try {
    const made = await whileBusyAside(patience, () =>
      makeSignatureAside(threads, key.handle, algorithm, job.input, job.inputIsDigest, job.deadlineMs),
    );
    return made ? judged(plan, rules, job, made) : expired();
  } catch (error) {
    return failedBy(error);
  }
}

/** How long a job will take the token, in microseconds: as long as the last one with its key. */
export function expectedUs(footing: Footing | undefined, { spkiSha256 }: JobFrame): number {
  return footing?.keys.get(spkiSha256)?.lastUs ?? 0;
}

interface Plan {
  readonly token: Token;
  readonly key: TokenKey;
  readonly algorithm: Algorithm;
  readonly patience: Patience;
}

/** What to sign with, or why not. */
function planOf(footing: Footing | undefined, { tokenBusyMs }: JobRules, job: JobFrame): Plan | Served {
  if (!footing) return failed('no_session', 'the signer has lost its session');
  const key = footing.keys.get(job.spkiSha256);
  if (!key) return failed('unknown_key', 'the signer has no such key');
  const algorithm = algorithmOf(job.scheme);
  if (!algorithm || !key.algorithms.has(algorithm))
    return failed('misfit', `scheme 0x${job.scheme.toString(16)} does not fit the key, or its token cannot make it`);
  if (job.inputIsDigest && (algorithm.hash === undefined || job.input.length !== algorithm.digestBytes)) {
    return failed('misfit', `expected a digest of ${algorithm.digestBytes} bytes; ${job.input.length} came`);
  }
  if (job.deadlineMs <= performance.now()) return expired();
  return { token: footing.token, key, algorithm, patience: { tokenBusyMs, deadlineMs: job.deadlineMs } };
}

/** Verified if it is due. */
function judged({ key, algorithm }: Plan, { verify }: JobRules, job: JobFrame, made: MadeSignature): Served {
  const { signature, tokenUs } = made;
  key.lastUs = tokenUs;
  const due = verificationDue(verify, algorithm, key.signatures++);
  if (due && !verifies(key.key, algorithm, job.input, job.inputIsDigest, signature)) {
    return failed(
      'bad_signature',
      `key "${key.label}": the token's ${algorithm.name} signature does not verify`,
      tokenUs,
    );
  }
  return { status: 'ok', tokenUs, content: signature, retires: 'nothing' };
}

function expired(): Served {
  return failed('expired', 'the caller has stopped waiting');
}

function failed(status: JobStatus, why: string, tokenUs = 0, retires: Retires = 'nothing'): Served {
  return { status, tokenUs, content: Buffer.from(why), retires };
}

function failedBy(error: unknown): Served {
  const code = ckrCodeOf(error);
  // No answer of the token but a fault of ours or of the binding: only a new signer is known to be without it.
  if (code === undefined) return failed('lost', describe(error), 0, 'signer');
  const ckr = ckrOf(code);
  return failed(statusOf(ckr), ckr.name, 0, ckr.retry ? ckr.retires : 'nothing');
}

function statusOf({ fault, retry, retires }: Ckr): JobStatus {
  if (!retry) return 'refused';
  if (retires === 'signer') return 'lost';
  if (retires !== 'nothing') return 'no_session';
  return fault === 'busy' ? 'busy' : 'token_error';
}
