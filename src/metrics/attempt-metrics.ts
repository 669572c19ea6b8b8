import type { Registry } from 'prom-client';
import { Buckets } from './buckets.js';
import { exposeHistogram, exposeValues, type Labels } from './exposed.js';
import { METRICS, NONE, OTHER, SERIES_MAX } from './metric-names.js';

/** A request that was answered. Empty strings where something is not known, such as the use of what was refused. */
export interface FinishedAttempt {
  readonly principal: string;
  readonly use: string;
  readonly scheme: string;
  /** `ok` or an ErrorWord: what the caller was told. */
  readonly outcome: string;
  /** The token that worked on it last. */
  readonly token: string;
  /** Whether it came as far as the queue. */
  readonly submitted: boolean;
  readonly queueUs: number;
  /** 0 if no token worked on it. */
  readonly tokenUs: number;
}

interface Counted {
  readonly labels: Labels;
  value: number;
}

interface Timed {
  readonly labels: Labels;
  readonly buckets: Buckets;
}

/** By principal, use, scheme and outcome. Maps in maps, since to join the labels to one key costs more than four look-ups. */
type Requests = Map<string, Map<string, Map<string, Map<string, Counted>>>>;

/**
 * Counts every answered request, on its way out: this is the one part of the metrics that each request pays for. Tokens and schemes
 * are bounded by the configuration and the table of algorithms; principals could be many.
 */
export class AttemptMetrics {
  readonly #requests: Requests = new Map();
  readonly #counted: Counted[] = [];
  readonly #queueSeconds = new Map<string, Timed>();
  readonly #tokenSeconds = new Map<string, Map<string, Timed>>();

  constructor(registry: Registry) {
    exposeValues(registry, METRICS.requests, () => this.#counted);
    exposeHistogram(registry, METRICS.queueSeconds, () => this.#queueSeconds.values());
    exposeHistogram(registry, METRICS.tokenSeconds, () => this.#timesOfTokens());
  }

  observe({ principal, use, scheme, outcome, token, submitted, queueUs, tokenUs }: FinishedAttempt): void {
    const counted =
      this.#requests.get(principal)?.get(use)?.get(scheme)?.get(outcome) ??
      this.#newRequests(principal, use, scheme, outcome);
    counted.value++;
    if (submitted) (this.#queueSeconds.get(scheme) ?? this.#newQueue(scheme)).buckets.observe(queueUs);
    if (tokenUs === 0) return;
    (this.#tokenSeconds.get(token)?.get(scheme) ?? this.#newToken(token, scheme)).buckets.observe(tokenUs);
  }

  #newRequests(principal: string, use: string, scheme: string, outcome: string): Counted {
    const full = this.#counted.length >= SERIES_MAX && principal !== OTHER;
    if (full)
      return (
        this.#requests.get(OTHER)?.get(use)?.get(scheme)?.get(outcome) ?? this.#newRequests(OTHER, use, scheme, outcome)
      );
    const labels = { principal: principal || NONE, use: use || NONE, scheme: scheme || NONE, outcome };
    const counted = { labels, value: 0 };
    mapIn(mapIn(mapIn(this.#requests, principal), use), scheme).set(outcome, counted);
    this.#counted.push(counted);
    return counted;
  }

  #newQueue(scheme: string): Timed {
    const timed = { labels: { scheme }, buckets: new Buckets() };
    this.#queueSeconds.set(scheme, timed);
    return timed;
  }

  #newToken(token: string, scheme: string): Timed {
    const timed = { labels: { token: token || NONE, scheme }, buckets: new Buckets() };
    mapIn(this.#tokenSeconds, token).set(scheme, timed);
    return timed;
  }

  *#timesOfTokens(): Generator<Timed> {
    for (const schemes of this.#tokenSeconds.values()) yield* schemes.values();
  }
}

/** The map under a key, made if it is missing. */
function mapIn<Key, Value>(maps: Map<string, Map<Key, Value>>, key: string): Map<Key, Value> {
  const found = maps.get(key) ?? new Map<Key, Value>();
  maps.set(key, found);
  return found;
}
