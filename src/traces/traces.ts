import {
  type Context,
  defaultTextMapGetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';
import type { Logger } from 'pino';
import type { Config } from '../config/schema.js';
import { loggedExporter } from './logged-exporter.js';
import { attributesOf, SPAN, type TracedAttempt } from './traced-attempt.js';

/** Spans that wait for the collector at most; more are dropped. About 1 KB each. */
const SPANS_MAX = 2_048;
/** Spans in one message to the collector: to write that takes the event loop about 2 ms. */
const SPANS_AT_ONCE_MAX = 256;
/** How often they are sent if they are fewer, and how long that may take, in milliseconds. */
const SEND_EVERY_MS = 2_000;
const SEND_MS_MAX = 2_000;
/** How long the last of them may hold up the end of the service, in milliseconds. */
const LAST_MS_MAX = 1_000;

/**
 * OpenTelemetry traces: a span for each request, below it its time in the queue and in the token. They are made when the request has
 * been answered, out of the times that were taken anyway, so a request that is not sampled pays next to nothing.
 *
 * This is the one module that loads OpenTelemetry; service.ts imports it only where traces are configured. Nothing is registered as
 * global, so no library begins to make spans by itself.
 */
export class Traces {
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #callers = new W3CTraceContextPropagator();
  #originMs = performance.timeOrigin;

  constructor(config: NonNullable<Config['traces']>, version: string, log: Logger) {
    const exporter = new OTLPTraceExporter({ url: config.otlp_url, timeoutMillis: SEND_MS_MAX });
    const processor = new BatchSpanProcessor({
      exporter: loggedExporter(exporter, log.child({ part: 'traces' })),
      maxQueueSize: SPANS_MAX,
      maxExportBatchSize: SPANS_AT_ONCE_MAX,
      scheduledDelayMillis: SEND_EVERY_MS,
      exportTimeoutMillis: SEND_MS_MAX,
    });
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({ [ATTR_SERVICE_NAME]: config.service_name, [ATTR_SERVICE_VERSION]: version }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(config.sample_ratio) }),
      spanProcessors: [processor],
    });
    this.#tracer = this.#provider.getTracer('signet', version);
  }

  /** To be called once for every answered request. */
  observe(attempt: TracedAttempt): void {
    const { arrivedMs, parent } = attempt;
    const nowMs = performance.now();
    const originMs = this.#origin(nowMs);
    const around = parent ? this.#callers.extract(ROOT_CONTEXT, parent, defaultTextMapGetter) : ROOT_CONTEXT;
    const span = this.#tracer.startSpan(SPAN.sign, { kind: SpanKind.SERVER, startTime: originMs + arrivedMs }, around);
    if (!span.isRecording()) return;
    span.setAttributes(attributesOf(attempt));
    if (attempt.outcome !== 'ok') span.setStatus({ code: SpanStatusCode.ERROR, message: attempt.error });
    this.#parts(attempt, trace.setSpan(around, span), originMs + arrivedMs, originMs + nowMs);
    span.end(originMs + nowMs);
  }

  /** Sends what is left, if the collector takes it soon. */
  async close(): Promise<void> {
    const sent = this.#provider.shutdown().catch(() => undefined);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LAST_MS_MAX);
      void sent.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** When in the token's time lies is not measured; it is followed by the answer at once, so it is counted back from there. */
  #parts({ submitted, queueUs, tokenUs }: TracedAttempt, within: Context, fromMs: number, toMs: number): void {
    if (submitted) this.#part(SPAN.queue, within, fromMs).end(Math.min(fromMs + queueUs / 1000, toMs));
    if (tokenUs > 0) this.#part(SPAN.token, within, Math.max(fromMs, toMs - tokenUs / 1000)).end(toMs);
  }

  #part(name: string, within: Context, startTime: number): Span {
    return this.#tracer.startSpan(name, { startTime }, within);
  }

  /** What makes the time of day, in milliseconds since 1970, of performance.now(), which does not notice when the clock is set. */
  #origin(nowMs: number): number {
    const asideMs = Date.now() - (this.#originMs + nowMs);
    if (Math.abs(asideMs) > CLOCK_MS) this.#originMs += asideMs;
    return this.#originMs;
  }
}

/** Date.now() has whole milliseconds, so it is one aside in a clock that nobody has set. */
const CLOCK_MS = 2;
