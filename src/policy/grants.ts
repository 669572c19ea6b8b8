import type { Config } from '../config/schema.js';
import { SignetError } from '../errors.js';
import type { ServedKey } from '../keys/served-key.js';
import type { Quotas, SharedState } from '../shared-state.js';
import { USES, type Use } from '../sign-job.js';
import type { Tls12Group } from '../tls-groups.js';
import { forbiddingMark, type Marks, marksOf, USES_OF_TLS13_ONLY } from './key-marks.js';
import { keyNames } from './key-names.js';
import type { Decision, Policy, Question } from './policy.js';
import { identifier } from './principals.js';
import { isExpired, type Limit, mismatch, type Rule, rulesByPrincipal } from './rules.js';
import { recogniseUse } from './tls-message.js';
import { groupOf } from './tls12-server-message.js';

/** What of the configuration makes a policy. */
export type PolicyConfig = Pick<Config, 'principals' | 'principal_groups' | 'key_groups' | 'keys' | 'grants'>;

/** What the policy refused or saw, since the start; for the metrics. */
export interface PolicyTally {
  /** Messages for TLS that came again under another attempt id, refused or not. */
  duplicates: number;
  duplicateRefusals: number;
  quotaRefusals: number;
}

export interface PolicyParts {
  readonly shared: Pick<SharedState, 'quotas' | 'duplicates'>;
  readonly tally: PolicyTally;
  /** Milliseconds since 1970, for the expiry of grants. */
  readonly nowMs: () => number;
}

/** The policy of a configuration. It keeps no reference to keys that are gone. */
export function createPolicy(config: PolicyConfig, parts: PolicyParts): Policy {
  const allowances = allowancesOf(config, parts.shared.quotas);
  return {
    identify: identifier(config.principals),
    decide: (principal, key, question) => {
      const allowance = allowances(principal, key);
      return allowance && decide(allowance, key, question, parts);
    },
    mayUse: (principal, key) => {
      const { rules = [], marks } = allowances(principal, key) ?? {};
      return marks !== undefined && rules.some((rule) => !isExpired(rule, parts.nowMs) && leavesAny(rule, marks));
    },
  };
}

/** What all grants together give one principal with one key. */
export interface Allowance {
  /** In the order of the configuration. */
  readonly rules: readonly Rule[];
  /** The groups of all rules, for tls12-server. */
  readonly groups: ReadonlySet<Tls12Group>;
  readonly marks: Marks;
}

/** Resolves grants once per principal and key object; a changed key is a new object, and the old one's entry goes with it. */
export function allowancesOf(
  config: PolicyConfig,
  quotas: Quotas,
): (principal: string, key: ServedKey) => Allowance | undefined {
  const meansKey = keyNames(config.key_groups);
  const resolve = (rules: readonly Rule[], key: ServedKey): Allowance => {
    const own = rules.filter((rule) => rule.keys.some((name) => meansKey(name, key)));
    const groups = new Set(own.flatMap((rule) => [...rule.groups]));
    return { rules: own, groups, marks: marksOf(key, config.keys, meansKey) };
  };
  const principals = new Map(
    [...rulesByPrincipal(config, quotas)].map(([name, rules]) => [
      name,
      { rules, known: new WeakMap<ServedKey, Allowance>() },
    ]),
  );
  return (principal, key) => {
    const own = principals.get(principal);
    if (own === undefined) return undefined;
    let allowance = own.known.get(key);
    if (allowance === undefined) {
      allowance = resolve(own.rules, key);
      own.known.set(key, allowance);
    }
    return allowance;
  };
}

/**
 * A use that shows in the message counts before `digest`, so that the record says what was signed. Whoever has `digest` may
 * also sign a whole message of any kind: he could hash it himself.
 */
function decide(allowance: Allowance, key: ServedKey, question: Question, parts: PolicyParts): Decision | undefined {
  if (allowance.rules.length === 0) return undefined;
  const { algorithm, input, inputIsDigest } = question;
  const shown = inputIsDigest ? undefined : recogniseUse(input, algorithm, key.key, allowance.groups);
  const decision = shown && decideUse(shown, allowance.rules, allowance.marks, key, question, parts);
  if (decision && decision.refusal === undefined) return decision;
  // A rule that refused what the message shows does not give it as a digest.
  const others = decision ? allowance.rules.filter((rule) => !rule.uses.has(shown as Use)) : allowance.rules;
  return decideUse('digest', others, allowance.marks, key, question, parts) ?? decision;
}

/** The first rule that gives the use decides; if that one is used up, the next. */
function decideUse(
  use: Use,
  rules: readonly Rule[],
  marks: Marks,
  key: ServedKey,
  question: Question,
  parts: PolicyParts,
): Decision | undefined {
  const { algorithm } = question;
  if (forbiddingMark(marks, use, algorithm)) return undefined;
  const group = use === 'tls12-server' ? groupOf(question.input) : undefined;
  let refused: Decision | undefined;
  let isDuplicate: boolean | undefined;
  for (const rule of rules) {
    if (mismatch(rule, use, algorithm, group, parts.nowMs)) continue;
    const waitMs = rule.limit?.quota.take() ?? 0;
    if (waitMs > 0) {
      parts.tally.quotaRefusals++;
      refused ??= { refusal: overQuota(rule.limit as Limit, waitMs) };
      continue;
    }
    isDuplicate ??= use.startsWith('tls') && wasSignedBefore(key, question, parts);
    if (!isDuplicate || !rule.refusesDuplicates) return rule.decisions.get(use);
    parts.tally.duplicateRefusals++;
    refused ??= { refusal: new SignetError('permission_denied', DUPLICATE) };
  }
  return refused;
}

function wasSignedBefore(
  { key }: ServedKey,
  question: Question,
  { shared: { duplicates }, tally }: PolicyParts,
): boolean {
  const { algorithm, inputSha256, attemptId } = question;
  const { spkiSha256 } = key;
  if (!duplicates.isDuplicate({ messageSha256: inputSha256, spkiSha256, scheme: algorithm.scheme, attemptId }))
    return false;
  tally.duplicates++;
  return true;
}

function overQuota({ ratePerS, burst }: Limit, waitMs: number): SignetError {
  return new SignetError(
    'resource_exhausted',
    `the grant gives ${ratePerS} signatures per second and ${burst} at once; retry in ${waitMs} ms`,
  );
}

const DUPLICATE =
  'the same message was signed before under another attempt_id, and the grant refuses duplicates; a retry keeps its attempt_id';

/** Whether the marks of a key leave anything of a rule. */
function leavesAny({ uses }: Rule, { ca, tls13Only }: Marks): boolean {
  return !ca && (!tls13Only || USES.some((use) => uses.has(use) && USES_OF_TLS13_ONLY.has(use)));
}
