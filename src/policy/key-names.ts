import type { Config } from '../config/schema.js';
import type { ServedKey } from '../keys/served-key.js';

/** Whether a name in a grant or a mark means a key: `label:…`, `id:…`, `spki:…`, `group:…` or `*`. */
export type MeansKey = (name: string, key: ServedKey) => boolean;

export function keyNames(groups: Config['key_groups']): MeansKey {
  const members = new Map(groups.map(({ name, keys }) => [`group:${name}`, keys]));
  return (name, key) => means(name, key) || (members.get(name)?.some((member) => means(member, key)) ?? false);
}

/** A label that reads "group:x" is named label:group:x, so that no label can pass for a group. */
function means(name: string, { key, label, id }: ServedKey): boolean {
  return name === '*' || name === `label:${label}` || name === `id:${id}` || name === `spki:${key.spkiSha256}`;
}
