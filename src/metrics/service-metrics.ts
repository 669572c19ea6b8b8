import type { Registry } from 'prom-client';
import { CertificateDates } from './certificate-dates.js';
import { exposeValues, type Sample } from './exposed.js';
import { CERTIFICATES_MAX, METRICS } from './metric-names.js';

/** What the metrics ask of the stations when Prometheus comes. */
export interface Measured {
  readonly version: string;
  readonly queued: () => number;
  readonly unfinished: () => number;
  readonly connections: () => readonly { readonly transport: string; readonly count: number }[];
  readonly signers: () => readonly MeasuredSigner[];
  readonly tokens: () => readonly {
    readonly name: string;
    readonly state: string;
    readonly breakerOpenings: number;
  }[];
  readonly keys: () => readonly MeasuredKey[];
  readonly auditLost: () => number;
  /** Duplicates, those of them that a grant refused, and what the rate limits of grants held back. */
  readonly policy: () => {
    readonly duplicates: number;
    readonly duplicateRefusals: number;
    readonly quotaRefusals: number;
  };
}

export interface MeasuredSigner {
  readonly token: string;
  readonly state: string;
  readonly restarts: number;
  readonly recoveries: number;
}

export interface MeasuredKey {
  readonly label: string;
  readonly spkiSha256: string;
  readonly disabled: boolean;
  /** DER of its own certificate, if a token has one. */
  readonly certificate: Uint8Array | undefined;
}

export function exposeService(registry: Registry, measured: Measured): void {
  const one = (value: number) => [{ labels: {}, value }];
  const dates = new CertificateDates();
  exposeValues(registry, METRICS.queued, () => one(measured.queued()));
  exposeValues(registry, METRICS.inFlight, () => one(measured.unfinished()));
  exposeValues(registry, METRICS.connections, () =>
    measured.connections().map(({ transport, count }) => ({ labels: { transport }, value: count })),
  );
  exposeValues(registry, METRICS.signers, () => signerStates(measured.signers()));
  exposeValues(registry, METRICS.signerRestarts, () => sums(measured.signers(), 'restarts'));
  exposeValues(registry, METRICS.signerRecoveries, () => sums(measured.signers(), 'recoveries'));
  exposeValues(registry, METRICS.tokens, () => tokenStates(measured.tokens()));
  exposeValues(registry, METRICS.breakerOpenings, () =>
    measured.tokens().map(({ name, breakerOpenings }) => ({ labels: { token: name }, value: breakerOpenings })),
  );
  exposeValues(registry, METRICS.keys, () => keyStates(measured.keys()));
  exposeValues(registry, METRICS.certificateNotAfter, () => expiries(measured.keys(), dates));
  exposeValues(registry, METRICS.auditLost, () => one(measured.auditLost()));
  exposeValues(registry, METRICS.duplicates, () => duplicates(measured.policy()));
  exposeValues(registry, METRICS.quotaRefusals, () => one(measured.policy().quotaRefusals));
  exposeValues(registry, METRICS.buildInfo, () => [
    { labels: { version: measured.version, node: process.versions.node }, value: 1 },
  ]);
}

/** The words of TokenState in pool.ts. */
const TOKEN_STATES = ['serving', 'down', 'failing', 'draining', 'drained', 'latched', 'quarantined'];

function tokenStates(tokens: ReturnType<Measured['tokens']>): Sample[] {
  return tokens.flatMap(({ name, state }) =>
    TOKEN_STATES.map((each) => ({ labels: { token: name, state: each }, value: each === state ? 1 : 0 })),
  );
}

/** The words of SignerState in pool.ts: each has a series, so that an alert sees a state that nobody is in. */
const SIGNER_STATES = ['starting', 'ready', 'recovering', 'draining', 'dead'];

function signerStates(signers: ReturnType<Measured['signers']>): Sample[] {
  return tokensOf(signers).flatMap((token) =>
    SIGNER_STATES.map((state) => {
      const value = signers.filter((signer) => signer.token === token && signer.state === state).length;
      return { labels: { token, state }, value };
    }),
  );
}

function sums(signers: readonly MeasuredSigner[], of: 'restarts' | 'recoveries'): Sample[] {
  return tokensOf(signers).map((token) => {
    const mine = signers.filter((signer) => signer.token === token);
    return { labels: { token }, value: mine.reduce((sum, signer) => sum + signer[of], 0) };
  });
}

function tokensOf(signers: ReturnType<Measured['signers']>): string[] {
  return [...new Set(signers.map(({ token }) => token))];
}

function duplicates({ duplicates, duplicateRefusals }: ReturnType<Measured['policy']>): Sample[] {
  return [
    { labels: { answer: 'allowed' }, value: Math.max(0, duplicates - duplicateRefusals) },
    { labels: { answer: 'refused' }, value: duplicateRefusals },
  ];
}

function keyStates(keys: readonly MeasuredKey[]): Sample[] {
  const disabled = keys.filter((key) => key.disabled).length;
  return [
    { labels: { state: 'in_use' }, value: keys.length - disabled },
    { labels: { state: 'disabled' }, value: disabled },
  ];
}

/** A label may name several keys, so the identity stands beside it. */
function expiries(keys: readonly MeasuredKey[], dates: CertificateDates): Sample[] {
  return keys
    .flatMap(({ label, spkiSha256, certificate }) => {
      const value = certificate && dates.notAfterSeconds(certificate);
      return value === undefined ? [] : [{ labels: { key: label, spki_sha256: spkiSha256 }, value }];
    })
    .sort((a, b) => a.value - b.value)
    .slice(0, CERTIFICATES_MAX);
}
