import type { Algorithm } from '../algorithms.js';
import type { Config } from '../config/schema.js';
import type { ServedKey } from '../keys/served-key.js';
import type { Use } from '../sign-job.js';
import type { MeansKey } from './key-names.js';

/** What the configuration says of a key whoever uses it. Marks only take away. */
export interface Marks {
  readonly ca: boolean;
  readonly tls13Only: boolean;
  readonly pssOnly: boolean;
}

/** All marks that name the key, together. */
export function marksOf(key: ServedKey, marked: Config['keys'], meansKey: MeansKey): Marks {
  const own = marked.filter((mark) => meansKey(mark.key, key));
  return {
    ca: own.some((mark) => mark.ca),
    tls13Only: own.some((mark) => mark.tls13_only),
    pssOnly: own.some((mark) => mark.pss_only),
  };
}

/** The mark that forbids a use with a scheme, or undefined if none does. */
export function forbiddingMark(marks: Marks, use: Use, algorithm: Algorithm): keyof Marks | undefined {
  if (marks.ca) return 'ca';
  if (marks.tls13Only && !USES_OF_TLS13_ONLY.has(use)) return 'tls13Only';
  return marks.pssOnly && algorithm.padding === 'pkcs1' ? 'pssOnly' : undefined;
}

/** A digest could be that of anything, so it is not among them. */
export const USES_OF_TLS13_ONLY: ReadonlySet<Use> = new Set<Use>(['tls13-server', 'tls13-client', 'csr']);
