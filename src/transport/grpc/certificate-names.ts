import type { X509Certificate } from 'node:crypto';

/**
 * The names in a certificate that a principal of the configuration may be bound to: `URI:…`, `DNS:…` of its subject
 * alternative names, `CN:…` of its subject, in this order, as written in the certificate. A certificate with a name that
 * cannot be told apart from others has none.
 */
export function certificateNames(certificate: X509Certificate): readonly string[] {
  const alternatives = alternativeNames(certificate.subjectAltName ?? '');
  if (alternatives === undefined) return [];
  const wanted = alternatives.filter((name) => name.startsWith('URI:') || name.startsWith('DNS:'));
  const uris = wanted.filter((name) => name.startsWith('URI:'));
  const hosts = wanted.filter((name) => name.startsWith('DNS:'));
  return [...uris, ...hosts, ...commonNames(certificate)];
}

/**
 * node writes `DNS:a, URI:"b, c"`: a value that holds anything but plain characters stands in quotes, as JSON
 * (https://nodejs.org/api/crypto.html#x509subjectaltname). Undefined for what is not of this form.
 */
function alternativeNames(text: string): string[] | undefined {
  const names: string[] = [];
  const name = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;
  while (name.lastIndex < text.length) {
    const [, kind, value] = name.exec(text) ?? [];
    if (kind === undefined || value === undefined) return undefined;
    const plain = value.startsWith('"') ? unquoted(value) : value;
    if (plain === undefined) return undefined;
    names.push(`${kind}:${plain}`);
  }
  return names;
}

function unquoted(value: string): string | undefined {
  try {
    return JSON.parse(value) as string;
  } catch {
    return undefined;
  }
}

/** The legacy form has the values themselves, where the subject as text has them escaped. */
function commonNames(certificate: X509Certificate): string[] {
  const { subject } = certificate.toLegacyObject() as unknown as { subject?: { CN?: string | string[] } };
  const names = subject?.CN ?? [];
  return (Array.isArray(names) ? names : [names]).map((name) => `CN:${name}`);
}
