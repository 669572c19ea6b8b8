import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';

/** An exporter that says in the log when the collector ceases to take spans and when it takes them again; OpenTelemetry says nothing. */
export function loggedExporter(exporter: SpanExporter, log: Logger): SpanExporter {
  let failing = false;
  const tell = ({ code, error: err }: ExportResult) => {
    const failed = code !== ExportResultCode.SUCCESS;
    if (failed && !failing) log.warn({ err }, 'spans cannot be sent; they are lost until the collector takes them');
    if (!failed && failing) log.info('the collector takes spans again');
    failing = failed;
  };
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        tell(result);
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}
