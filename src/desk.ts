import { hash } from 'node:crypto';
import type { Logger } from 'pino';
import type { Caller } from './caller.js';
import { SignetError } from './errors.js';
import type { SignRequest } from './gen/signet/v1/sign.js';
import type { KeyRing, RingKey } from './keys/key-ring.js';
import type { FinishedAttempt } from './metrics/attempt-metrics.js';
import type { CurrentPolicy } from './policy/current-policy.js';
import type { Question } from './policy/policy.js';
import type { Scheduler } from './scheduler/scheduler.js';
import type { AttemptRecord, AuditTrail } from './shared-state.js';
import type { Outcome, SignJob, Use } from './sign-job.js';
import { type ParsedRequest, parseSignRequest } from './sign-request.js';
import type { Cancel, Client, Signing, TraceParent } from './signing.js';
import type { TracedAttempt } from './traces/traced-attempt.js';

/** The stations behind the transports that a request passes at the desk. */
export interface Stations {
  readonly current: CurrentPolicy;
  readonly keys: KeyRing;
  readonly scheduler: Scheduler;
  /** Undefined: attempts are not recorded. */
  readonly audit: AuditTrail | undefined;
  /** Told of every request with its answer; undefined if nobody counts. */
  readonly observe: ((attempt: FinishedAttempt) => void) | undefined;
  /** Told of it as well, when its answer has left; undefined if there are no traces. */
  readonly trace: ((attempt: TracedAttempt) => void) | undefined;
  readonly log: Logger;
  /** Whether every token has told its keys: before, a key that is not found may be one that is not known yet. */
  readonly allKeysKnown: () => boolean;
  /** Read for every request: a reload may change it. */
  readonly limits: { readonly sign_timeout_ms: number };
}

export interface Tally {
  signatures: number;
  errors: number;
}

/**
 * Where every request of every transport is received, decided, handed on, recorded and answered.
 *
 * A request is an Attempt from here to its end. It ends once, at `Attempt.finish`: then its line goes into the audit file, and when
 * that is written its answer leaves.
 */
export class Desk implements Signing {
  readonly tally: Tally = { signatures: 0, errors: 0 };
  readonly #stations: Stations;

  constructor(stations: Stations) {
    this.#stations = stations;
  }

  identify(caller: Caller): Client {
    return this.#stations.current.clientOf(caller);
  }

  sign(client: Client, request: SignRequest, answer: (outcome: Outcome) => void, parent?: TraceParent): Cancel {
    const attempt = new Attempt(client, this.#stations, this.tally, answer, parent);
    try {
      const parsed = parseSignRequest(request);
      attempt.read(parsed);
      this.#grant(client, parsed, attempt);
      attempt.submit();
    } catch (thrown) {
      attempt.refuse(thrown);
    }
    return () => attempt.cancel();
  }

  keysOf(client: Client) {
    const { principal } = client;
    if (principal === undefined) return [];
    const { keys, current } = this.#stations;
    const { policy } = current;
    return keys.inUse().flatMap((key) => (policy.mayUse(principal, key) ? [key.message] : []));
  }

  /** Finds the key and the use, if this client may use it like this. One answer for all that is not so: a caller cannot probe for keys. */
  #grant(client: Client, request: ParsedRequest, attempt: Attempt): void {
    const { keys, current } = this.#stations;
    const { principal } = client;
    const key = keys.find(request.spkiSha256);
    const mine = key && principal !== undefined && current.policy.mayUse(principal, key);
    if (!key || !mine || principal === undefined) throw this.#noSuchKey();
    attempt.know(key);
    requireFit(request, key);
    const decision = current.policy.decide(principal, key, attempt);
    if (!decision) throw this.#noSuchKey();
    if (decision.refusal) throw decision.refusal;
    attempt.use = decision.use;
  }

  #noSuchKey(): SignetError {
    if (this.#stations.allKeysKnown()) return new SignetError('permission_denied', DENIED);
    return new SignetError('unavailable', 'a token has not told its keys yet; retry later or on another service');
  }
}

const DENIED =
  'no key of this SPKI SHA-256 that this caller may use for such a message; see the grants in the configuration of the service';

/** A caller that may use the key learns what is wrong with the scheme; for others the key does not exist. */
function requireFit({ algorithm }: ParsedRequest, { key, message }: RingKey): void {
  if (message.schemes.includes(algorithm.scheme)) return;
  throw new SignetError(
    'invalid_argument',
    `${algorithm.name} does not fit the key, which is ${key.type} of ${key.bits} bits; choose a scheme of its type and curve`,
  );
}

/** One request from its arrival to its answer. */
class Attempt implements SignJob, Question {
  readonly arrivedMs = performance.now();
  /** As it was at first: a reload may name the client anew. */
  readonly principal: string;
  use: Use | '' = '';
  watched: SignJob['watched'] = undefined;
  queued: SignJob['queued'] = undefined;
  unpaidUs = 0;
  attempts = 0;
  token = '';
  handedMs = 0;
  finished = false;
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly #client: Client;
  readonly #stations: Stations;
  readonly #tally: Tally;
  readonly #answer: (outcome: Outcome) => void;
  readonly #parent: TraceParent | undefined;
  #request: ParsedRequest | undefined;
  #key: RingKey | undefined;
  #submitted = false;
  #inputSha256 = '';

  constructor(
    client: Client,
    stations: Stations,
    tally: Tally,
    answer: (outcome: Outcome) => void,
    parent: TraceParent | undefined,
  ) {
    this.#client = client;
    this.principal = client.principal ?? '';
    this.#stations = stations;
    this.#tally = tally;
    this.#answer = answer;
    this.#parent = parent;
  }

  get key() {
    return known(this.#key).key;
  }
  get home() {
    return known(this.#key).home;
  }
  get costClass() {
    return known(this.#key).costClass;
  }
  get algorithm() {
    return known(this.#request).algorithm;
  }
  get input() {
    return known(this.#request).input;
  }
  get inputIsDigest() {
    return known(this.#request).inputIsDigest;
  }
  /** Of what was signed; worked out once, for the policy and for the record. */
  get inputSha256() {
    if (this.#inputSha256 === '') this.#inputSha256 = hash('sha256', known(this.#request).input);
    return this.#inputSha256;
  }
  get attemptId() {
    return known(this.#request).attemptId;
  }

  read(request: ParsedRequest): void {
    this.#request = request;
    const limitMs = this.#stations.limits.sign_timeout_ms;
    const wishedMs = request.timeoutUs / 1000;
    this.deadlineMs = this.arrivedMs + (wishedMs > 0 ? Math.min(wishedMs, limitMs) : limitMs);
  }

  know(key: RingKey): void {
    this.#key = key;
  }

  submit(): void {
    this.#submitted = true;
    this.#stations.scheduler.submit(this);
  }

  refuse(thrown: unknown): void {
    this.#fail(SignetError.from(thrown));
  }

  cancel(): void {
    this.#fail(new SignetError('cancelled', 'the caller cancelled the request'));
  }

  finish(outcome: Outcome): void {
    if (this.finished) return;
    this.finished = true;
    if (this.#submitted) this.#stations.scheduler.ended(this, outcome.tokenUs);
    if (!outcome.ok && outcome.error.code === 'internal')
      this.#stations.log.error({ err: outcome.error }, 'internal error');
    this.#record(outcome);
  }

  #fail(error: SignetError): void {
    const waitedMs = (this.handedMs || performance.now()) - this.arrivedMs;
    this.finish({ ok: false, error, queueUs: Math.round(waitedMs * 1000), tokenUs: 0 });
  }

  /** The answer leaves behind the audit line; without an audit file, still after `Desk.sign` has returned. */
  #record(outcome: Outcome): void {
    const { audit } = this.#stations;
    if (!audit) return void setImmediate(() => this.#leave(outcome));
    audit.record(this.#auditRecord(outcome), (failure) => {
      const { queueUs, tokenUs } = outcome;
      this.#leave(failure ? { ok: false, error: failure, queueUs, tokenUs } : outcome);
    });
  }

  /** It counts as what the caller is told, which is not what was recorded when that failed. */
  #leave(outcome: Outcome): void {
    if (outcome.ok) this.#tally.signatures++;
    else this.#tally.errors++;
    this.#stations.observe?.(this.#observed(outcome));
    this.#answer(outcome);
    this.#stations.trace?.(this.#traced(outcome));
  }

  #observed(outcome: Outcome): FinishedAttempt {
    return {
      principal: this.principal,
      use: this.use,
      scheme: this.#request?.algorithm.name ?? '',
      outcome: outcome.ok ? 'ok' : outcome.error.code,
      token: this.token,
      queueUs: outcome.queueUs,
      tokenUs: outcome.tokenUs,
      submitted: this.#submitted,
    };
  }

  #traced(outcome: Outcome): TracedAttempt {
    return {
      ...this.#observed(outcome),
      arrivedMs: this.arrivedMs,
      parent: this.#parent,
      key: this.#request?.spkiSha256 ?? '',
      label: this.#key?.label ?? '',
      attempt: this.#request?.attemptId ?? '',
      error: outcome.ok ? '' : outcome.error.message,
    };
  }

  /** Written out, though much stands above: a spread makes the object member by member, and took 10 µs of each signature. */
  #auditRecord(outcome: Outcome): AttemptRecord {
    const request = this.#request;
    return {
      principal: this.principal,
      use: this.use,
      scheme: request?.algorithm.name ?? '',
      outcome: outcome.ok ? 'ok' : outcome.error.code,
      token: this.token,
      queueUs: outcome.queueUs,
      tokenUs: outcome.tokenUs,
      caller: this.#client.description,
      key: request?.spkiSha256 ?? '',
      label: this.#key?.label ?? '',
      sha256: request ? this.inputSha256 : '',
      attempt: request?.attemptId ?? '',
    };
  }
}

/** The scheduler and the pool see an attempt only after it was read and its key found. */
function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('an attempt was handed on before it was read');
  return value;
}
