import type { X509Certificate } from 'node:crypto';

/** A chain as `--json` shows it, leaf first. */
export function chainFacts(chain: readonly X509Certificate[]) {
  return {
    pem: chainPem(chain),
    certificates: chain.map((certificate) => ({
      subject: certificate.subject.replaceAll('\n', ', '),
      issuer: certificate.issuer.replaceAll('\n', ', '),
      serial: certificate.serialNumber.toLowerCase(),
      not_before: new Date(certificate.validFrom).toISOString(),
      not_after: new Date(certificate.validTo).toISOString(),
      sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    })),
  };
}

export function chainPem(chain: readonly X509Certificate[]): string {
  return chain.map((certificate) => certificate.toString()).join('');
}
