import { createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Key } from '../../gen/signet/v1/keys.js';
import { publicKeyFromKeyObject, publicKeyFromSpki } from '../../public-key.js';
import { type Finding, fault, fine, warning } from './finding.js';
import { referencesIn } from './references-in.js';

const DAY_MS = 86_400_000;
/** Time enough to renew: a certificate of 90 days is renewed with a third of it left. */
const SOON_DAYS = 30;
const RENEW = 'renew it: "signet certs csr" makes a request, "signet certs issue" a certificate of your own CA';

/** A certificate and a key that a server is given. Both may be in one file. */
export interface Pair {
  readonly certificate: string;
  readonly keyFile: string;
  /** Where that stands; empty: on the command line. */
  readonly place: string;
}

/** Whether the first certificate of the file is for the key of the reference, and how long it holds. */
export function lookAtPair({ certificate, keyFile, place }: Pair, nowMs: number): Finding[] {
  const where = place === '' ? '' : ` (${place})`;
  try {
    const leaf = new X509Certificate(readFileSync(certificate));
    return [matching(leaf, certificate, keyFile, where), expiry(`${certificate}${where}`, leaf, nowMs)];
  } catch (error) {
    const remedy = 'name a file with the certificate, PEM, its own first';
    return [
      fault(
        'certificate-key',
        `${certificate}${where} is no certificate that can be read: ${(error as Error).message}`,
        remedy,
      ),
    ];
  }
}

function matching(leaf: X509Certificate, certificate: string, keyFile: string, where: string): Finding {
  const expected = publicKeyFromKeyObject(leaf.publicKey).spkiSha256;
  const found = keysIn(keyFile);
  if (typeof found === 'string') {
    return fault('certificate-key', `${keyFile}${where}: ${found}`, 'write it anew: "signet keys export --reference"');
  }
  if (found.includes(expected)) return fine('certificate-key', `${certificate}${where} is for the key of ${keyFile}`);
  return fault(
    'certificate-key',
    `${certificate}${where} is for the key spki:${expected}; ${keyFile} has spki:${found.join(', spki:')}`,
    `"signet keys export --reference --key spki:${expected}" writes the right one`,
  );
}

/** The SPKI SHA-256 of the keys in a file, or what is wrong with it. A genuine key is a key too. */
function keysIn(file: string): string[] | string {
  try {
    const pem = readFileSync(file, 'utf8');
    const references = referencesIn(pem).map((spki) => publicKeyFromSpki(spki).spkiSha256);
    if (references.length > 0) return references;
    return [publicKeyFromKeyObject(createPublicKey(pem)).spkiSha256];
  } catch (error) {
    return `no key can be read: ${(error as Error).message}`;
  }
}

/** The certificates that the catalogue has of a key: the first is of the key itself. */
export function lookAtCatalogueKey({ label, publicKeyDer, certificateChain }: Key, nowMs: number): Finding[] {
  const chain = certificateChain.map((der) => new X509Certificate(der));
  const [leaf] = chain;
  if (leaf === undefined) return [];
  const isOwn = publicKeyFromKeyObject(leaf.publicKey).spkiSha256 === publicKeyFromSpki(publicKeyDer).spkiSha256;
  const match = isOwn
    ? fine('certificate-key', `${label}: the certificate on the token is of that key`)
    : fault(
        'certificate-key',
        `${label}: the certificate on the token is of another key`,
        'store the right one: "signet certs import"',
      );
  return [match, ...chain.map((one) => expiry(`${label}: ${one.subject.replaceAll('\n', ', ')}`, one, nowMs))];
}

function expiry(whose: string, { validFrom, validTo }: X509Certificate, nowMs: number): Finding {
  const days = Math.floor((Date.parse(validTo) - nowMs) / DAY_MS);
  const until = new Date(validTo).toISOString();
  if (Date.parse(validFrom) > nowMs) {
    return fault(
      'expiry',
      `${whose}: not valid before ${new Date(validFrom).toISOString()}`,
      'set the clock right, or wait',
    );
  }
  if (Date.parse(validTo) <= nowMs) return fault('expiry', `${whose}: expired at ${until}`, RENEW);
  if (days < SOON_DAYS) return warning('expiry', `${whose}: expires at ${until}, in ${days} days`, RENEW);
  return fine('expiry', `${whose}: valid until ${until}`);
}
