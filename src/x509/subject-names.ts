import { isIP } from 'node:net';
import { Name } from '@peculiar/x509';
import { SignetError } from '../errors.js';

/** What a certificate is for. */
export interface SubjectNames {
  /** A distinguished name such as `CN=www.example.org,O=Example`; the default is the first DNS name or address as CN. */
  readonly subject?: string | undefined;
  readonly dns: readonly string[];
  readonly ip: readonly string[];
}

/** Throws SignetError invalid_argument for a name that does not parse. */
export function checkNames(names: SubjectNames): void {
  for (const dns of names.dns)
    if (!DNS_NAME.test(dns)) throw bad('a DNS name such as www.example.org or *.example.org', dns);
  for (const ip of names.ip) if (isIP(ip) === 0) throw bad('an IPv4 or IPv6 address', ip);
}

/** Labels of letters, digits and hyphens, at most 253 characters; a wildcard only as the whole first label (RFC 6125 section 6.4.3). */
const DNS_NAME = /^(?=.{1,253}$)(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

/** The subject's distinguished name. `otherwise` is the common name where neither subject nor other names are given. */
export function distinguishedName(names: SubjectNames, otherwise: string): Name {
  const common = names.dns[0] ?? names.ip[0] ?? otherwise;
  try {
    return names.subject === undefined ? new Name([{ CN: [common] }]) : new Name(names.subject);
  } catch (cause) {
    throw new SignetError(
      'invalid_argument',
      `expected a subject such as "CN=www.example.org,O=Example"; "${names.subject}" came`,
      { cause },
    );
  }
}

function bad(expected: string, came: string): SignetError {
  return new SignetError('invalid_argument', `expected ${expected}; "${came}" came`);
}
