import { X509Certificate } from 'node:crypto';

/** When certificates expire. Each is read once, as long as its bytes live. */
export class CertificateDates {
  readonly #known = new WeakMap<Uint8Array, number>();

  /** In seconds since 1970; undefined for what is no certificate. */
  notAfterSeconds(der: Uint8Array): number | undefined {
    const seconds = this.#known.get(der) ?? notAfterOf(der);
    this.#known.set(der, seconds);
    return Number.isNaN(seconds) ? undefined : seconds;
  }
}

const MILLISECONDS = 1_000;

function notAfterOf(der: Uint8Array): number {
  try {
    return Date.parse(new X509Certificate(der).validTo) / MILLISECONDS;
  } catch {
    return Number.NaN;
  }
}
