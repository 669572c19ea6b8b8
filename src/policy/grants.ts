import type { Algorithm } from '../algorithms.js';
import type { Caller } from '../caller.js';
import type { Config } from '../config/schema.js';
import type { ServedKey } from '../keys/served-key.js';
import type { Use } from '../sign-job.js';
import type { Tls12Group } from '../tls-groups.js';
import type { Policy } from './policy.js';
import { recogniseUse } from './tls-message.js';

type PrincipalConfig = Config['principals'][number];
type GrantConfig = Config['grants'][number];

/** The policy of a configuration. It keeps no reference to keys that are gone. */
export function createPolicy(config: Pick<Config, 'principals' | 'grants'>): Policy {
  const allowances = new Map(config.principals.map(({ name }) => [name, allowancesOf(name, config.grants)]));
  const allowanceOf = (principal: string, key: ServedKey) => allowances.get(principal)?.(key) ?? NOTHING;
  return {
    identify: (caller) => config.principals.find((principal) => matches(principal, caller))?.name,
    decide: (principal, key, algorithm, input, inputIsDigest) =>
      decide(allowanceOf(principal, key), key, algorithm, input, inputIsDigest),
    mayUse: (principal, key) => allowanceOf(principal, key).uses.size > 0,
  };
}

/** What all grants together give one principal with one key. */
interface Allowance {
  readonly uses: ReadonlySet<Use>;
  /** For tls12-server. */
  readonly groups: ReadonlySet<Tls12Group>;
}

const NOTHING: Allowance = { uses: new Set(), groups: new Set() };

/**
 * A use that shows in the message counts before `digest`, so that the record says what was signed. Whoever has `digest` may
 * also sign a whole message of any kind: he could hash it himself.
 */
function decide(
  { uses, groups }: Allowance,
  served: ServedKey,
  algorithm: Algorithm,
  input: Uint8Array,
  inputIsDigest: boolean,
): Use | undefined {
  if (uses.size === 0) return undefined;
  const shown = inputIsDigest ? undefined : recogniseUse(input, algorithm, served.key, groups);
  if (shown !== undefined && uses.has(shown)) return shown;
  return uses.has('digest') ? 'digest' : undefined;
}

/** Resolves grants once per key object; a changed key is a new object, and the old one's entry goes with it. */
function allowancesOf(principal: string, grants: readonly GrantConfig[]): (key: ServedKey) => Allowance {
  const own = grants.filter((grant) => grant.principal === principal);
  const known = new WeakMap<ServedKey, Allowance>();
  return (key) => {
    let allowance = known.get(key);
    if (allowance === undefined) {
      allowance = resolve(own, key);
      known.set(key, allowance);
    }
    return allowance;
  };
}

function resolve(grants: readonly GrantConfig[], key: ServedKey): Allowance {
  const applying = grants.filter((grant) => grant.keys.some((name) => names(name, key)));
  return {
    uses: new Set(applying.flatMap((grant) => grant.uses)),
    groups: new Set(applying.flatMap((grant) => (grant.uses.includes('tls12-server') ? grant.tls12_groups : []))),
  };
}

/** Whether a key's name in a grant (`label:…`, `id:…`, `spki:…`, `*`) means the key. */
function names(name: string, { key, label, id }: ServedKey): boolean {
  return name === '*' || name === `label:${label}` || name === `id:${id}` || name === `spki:${key.spkiSha256}`;
}

/** Exact: no patterns, no case folding. A uid or gid that the configuration does not give may be any. */
function matches({ socket, certificate }: PrincipalConfig, caller: Caller): boolean {
  if (caller.kind === 'certificate') return certificate !== undefined && caller.names.includes(certificate);
  if (socket === undefined || socket.role !== caller.role) return false;
  return (socket.uid ?? caller.uid) === caller.uid && (socket.gid ?? caller.gid) === caller.gid;
}
