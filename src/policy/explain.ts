import type { Algorithm } from '../algorithms.js';
import type { ServedKey } from '../keys/served-key.js';
import type { Quotas } from '../shared-state.js';
import { USES, type Use } from '../sign-job.js';
import { type Allowance, allowancesOf, type PolicyConfig } from './grants.js';
import { forbiddingMark, type Marks } from './key-marks.js';
import { type Mismatch, mismatch, type Rule } from './rules.js';
import { recogniseUse } from './tls-message.js';
import { groupOf } from './tls12-server-message.js';

/** What somebody wants to know. Without use and message: anything at all. */
export interface Hypothesis {
  readonly use?: Use | undefined;
  readonly message?: Uint8Array | undefined;
  /** Those that may be meant; each fits the key. */
  readonly algorithms: readonly Algorithm[];
}

export interface Explanation {
  /** What is given, each use once, with the grant that decides and the first scheme that it gives; empty if nothing is. */
  readonly given: readonly { readonly use: Use; readonly grant: number; readonly algorithm: Algorithm }[];
  /** What the message shows; undefined without a message, or if it is nothing that Signet knows. */
  readonly shown: Use | undefined;
  /** For each grant that names the principal and the key, what was in the way of the use that came nearest. */
  readonly inTheWay: readonly { readonly grant: number; readonly mismatch: Mismatch | keyof Marks }[];
}

/** Whether and why a configuration gives a principal what it asks. By the rules of `createPolicy`, but for quotas and duplicates. */
export function explain(
  config: PolicyConfig,
  quotas: Quotas,
  principal: string,
  key: ServedKey,
  hypothesis: Hypothesis,
): Explanation {
  const allowance = allowancesOf(config, quotas)(principal, key);
  if (!allowance) return { given: [], shown: undefined, inTheWay: [] };
  const trials = hypothesis.algorithms.flatMap((algorithm) => trialsOf(hypothesis, algorithm, key, allowance));
  const given = trials.flatMap((trial) => {
    const rule = allowance.rules.find((each) => obstacle(each, trial, allowance.marks) === undefined);
    return rule ? [{ use: trial.use, grant: rule.grant, algorithm: trial.algorithm }] : [];
  });
  return {
    given: given.filter(({ use }, i) => given.findIndex((other) => other.use === use) === i),
    shown: trials.find(({ isShown }) => isShown)?.use,
    inTheWay: given.length > 0 ? [] : allowance.rules.flatMap((rule) => nearest(rule, trials, allowance.marks)),
  };
}

interface Trial {
  readonly use: Use;
  readonly algorithm: Algorithm;
  readonly group: ReturnType<typeof groupOf>;
  readonly isShown: boolean;
}

/** In the order in which a policy would try. */
function trialsOf({ use, message }: Hypothesis, algorithm: Algorithm, key: ServedKey, { groups }: Allowance): Trial[] {
  if (message === undefined) {
    const uses = use === undefined ? USES : [use];
    return uses.map((each) => ({ use: each, algorithm, group: undefined, isShown: false }));
  }
  const shown = recogniseUse(message, algorithm, key.key, groups);
  const digest: Trial = { use: 'digest', algorithm, group: undefined, isShown: false };
  if (shown === undefined) return [digest];
  const group = shown === 'tls12-server' ? groupOf(message) : undefined;
  return [{ use: shown, algorithm, group, isShown: true }, digest];
}

function obstacle(rule: Rule, { use, algorithm, group }: Trial, marks: Marks): Mismatch | keyof Marks | undefined {
  return mismatch(rule, use, algorithm, group, Date.now) ?? forbiddingMark(marks, use, algorithm);
}

/** A mark forbids only what a grant gives, so it comes last and counts as nearest. */
const FAR_TO_NEAR: readonly (Mismatch | keyof Marks)[] = [
  'use',
  'expired',
  'scheme',
  'group',
  'pssOnly',
  'tls13Only',
  'ca',
];

function nearest(rule: Rule, trials: readonly Trial[], marks: Marks): Explanation['inTheWay'] {
  const obstacles = trials.flatMap((trial) => obstacle(rule, trial, marks) ?? []);
  const [first] = obstacles.sort((a, b) => FAR_TO_NEAR.indexOf(b) - FAR_TO_NEAR.indexOf(a));
  return first ? [{ grant: rule.grant, mismatch: first }] : [];
}
