import type { Algorithm } from '../algorithms.js';
import type { Config } from '../config/schema.js';
import type { Quota, Quotas } from '../shared-state.js';
import { USES, type Use } from '../sign-job.js';
import type { Tls12Group } from '../tls-groups.js';
import type { Decision } from './policy.js';

type GrantConfig = Config['grants'][number];

/** A grant as it holds for one principal. */
export interface Rule {
  /** Its place among the grants of the configuration. */
  readonly grant: number;
  readonly keys: readonly string[];
  readonly uses: ReadonlySet<Use>;
  /** For tls12-server; empty where that is not granted. */
  readonly groups: ReadonlySet<Tls12Group>;
  /** Undefined: all. */
  readonly schemes: ReadonlySet<string> | undefined;
  /** By Date.now(), in milliseconds. */
  readonly expiresMs: number;
  readonly refusesDuplicates: boolean;
  readonly limit: Limit | undefined;
  /** What it decides for each use, made once. */
  readonly decisions: ReadonlyMap<Use, Decision>;
}

export interface Limit {
  readonly quota: Quota;
  readonly ratePerS: number;
  readonly burst: number;
}

/** Why a rule does not give a use. */
export type Mismatch = 'use' | 'expired' | 'scheme' | 'group';

/** `group` is that of the message; undefined for any. */
export function mismatch(
  rule: Rule,
  use: Use,
  algorithm: Algorithm,
  group: Tls12Group | undefined,
  nowMs: () => number,
): Mismatch | undefined {
  if (!rule.uses.has(use)) return 'use';
  if (isExpired(rule, nowMs)) return 'expired';
  if (rule.schemes && !rule.schemes.has(algorithm.name)) return 'scheme';
  return group !== undefined && !rule.groups.has(group) ? 'group' : undefined;
}

export function isExpired({ expiresMs }: Rule, nowMs: () => number): boolean {
  return expiresMs !== Number.POSITIVE_INFINITY && nowMs() >= expiresMs;
}

/** The rules of every principal of the configuration that is granted something, in the order of the grants. */
export function rulesByPrincipal(
  { grants, principal_groups }: Pick<Config, 'grants' | 'principal_groups'>,
  quotas: Quotas,
): ReadonlyMap<string, readonly Rule[]> {
  const members = new Map(principal_groups.map(({ name, members }) => [`group:${name}`, new Set(members)]));
  const rules = new Map<string, Rule[]>();
  const names = new Set<string>();
  for (const [i, grant] of grants.entries()) {
    for (const principal of members.get(grant.principal) ?? [grant.principal]) {
      const own = rules.get(principal) ?? [];
      own.push(ruleOf(grant, i, limitOf(grant, principal, quotas, names)));
      rules.set(principal, own);
    }
  }
  quotas.keepQuotas(names);
  return rules;
}

function ruleOf(grant: GrantConfig, index: number, limit: Limit | undefined): Rule {
  const decisions = USES.map((use): [Use, Decision] => [use, { use, grant: index }]);
  return {
    grant: index,
    keys: grant.keys,
    uses: new Set(grant.uses),
    groups: new Set(grant.uses.includes('tls12-server') ? grant.tls12_groups : []),
    schemes: grant.schemes && new Set(grant.schemes),
    expiresMs: grant.expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(grant.expires),
    refusesDuplicates: grant.duplicates === 'refuse',
    limit,
    decisions: new Map(decisions),
  };
}

/**
 * A quota is named by all of the grant but its rate, so that it outlives a reload, also one that changes the rate. Grants that are
 * alike have each their own.
 */
function limitOf(grant: GrantConfig, principal: string, quotas: Quotas, names: Set<string>): Limit | undefined {
  const { rate_per_s: ratePerS, burst = ratePerS, ...rest } = grant;
  if (ratePerS === undefined || burst === undefined) return undefined;
  let name = JSON.stringify([principal, rest]);
  while (names.has(name)) name += '+';
  names.add(name);
  return { quota: quotas.quota(name, ratePerS, burst), ratePerS, burst };
}
