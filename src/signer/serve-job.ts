import { algorithmOf } from '../algorithms.js';
import type { JobFrame, JobStatus } from '../pool/messages.js';
import { ckrCodeOf, ckrOf, describe } from './ckr.js';
import type { TokenKey } from './find-keys.js';
import { makeSignature } from './make-signature.js';
import type { Token } from './token.js';
import { type VerifyPolicy, verificationDue, verifies } from './verify.js';

/** How a job ended here; the content is the signature, or a sentence that says why there is none. */
export interface Served {
  readonly status: JobStatus;
  readonly tokenUs: number;
  readonly content: Buffer;
}

/** Makes one signature, or says why not. Throws nothing. */
export function serveJob(
  token: Token,
  keys: ReadonlyMap<string, TokenKey>,
  policy: VerifyPolicy,
  job: JobFrame,
): Served {
  const key = keys.get(job.spkiSha256);
  if (!key) return failed('unknown_key', 'the signer has no such key');
  const algorithm = algorithmOf(job.scheme);
  if (!algorithm || !key.algorithms.has(algorithm))
    return failed('misfit', `scheme 0x${job.scheme.toString(16)} does not fit the key, or its token cannot make it`);
  if (job.inputIsDigest && (algorithm.hash === undefined || job.input.length !== algorithm.digestBytes)) {
    return failed('misfit', `expected a digest of ${algorithm.digestBytes} bytes; ${job.input.length} came`);
  }
  try {
    const { signature, tokenUs } = makeSignature(token, key.handle, algorithm, job.input, job.inputIsDigest);
    const due = verificationDue(policy, algorithm, key.signatures++);
    if (due && !verifies(key.key, algorithm, job.input, job.inputIsDigest, signature)) {
      return failed(
        'bad_signature',
        `key "${key.label}": the token's ${algorithm.name} signature does not verify`,
        tokenUs,
      );
    }
    return { status: 'ok', tokenUs, content: signature };
  } catch (error) {
    return failed(isOfRequest(error) ? 'refused' : 'lost', describe(error));
  }
}

function failed(status: JobStatus, why: string, tokenUs = 0): Served {
  return { status, tokenUs, content: Buffer.from(why) };
}

function isOfRequest(error: unknown): boolean {
  const code = ckrCodeOf(error);
  return code !== undefined && !ckrOf(code).retryElsewhere;
}
