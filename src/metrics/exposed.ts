import { Counter, Gauge, type Metric, type Registry } from 'prom-client';
import type { Buckets } from './buckets.js';
import type { MetricName } from './metric-names.js';

export type Labels = Readonly<Record<string, string>>;

/** One series of a counter or gauge. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** Shows a counter or gauge whose values are asked for at each scrape: nothing is kept in between. */
export function exposeValues(
  registry: Registry,
  { name, type, help, labels: labelNames }: MetricName,
  samples: () => readonly Sample[] | Promise<readonly Sample[]>,
): void {
  const options = { name, help, labelNames: [...labelNames], registers: [registry] };
  const metric = type === 'counter' ? new Counter({ ...options, collect }) : new Gauge({ ...options, collect });
  async function collect(): Promise<void> {
    const found = await samples();
    metric.reset();
    for (const { labels, value } of found) metric.inc({ ...labels }, value);
  }
}

/** Shows histograms whose counting is ours: prom-client's own looks its labels up at every observation, which costs microseconds. */
export function exposeHistogram(
  registry: Registry,
  { name, help }: MetricName,
  series: () => Iterable<{ readonly labels: Labels; readonly buckets: Buckets }>,
): void {
  const get = async () => ({ name, help, type: 'histogram', values: [...series()].flatMap(linesOf) });
  const linesOf = ({ labels, buckets }: { labels: Labels; buckets: Buckets }) => {
    const bounds = buckets.cumulative();
    return [
      ...bounds.map(({ le, count }) => ({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count })),
      { metricName: `${name}_sum`, labels, value: buckets.sumSeconds },
      { metricName: `${name}_count`, labels, value: bounds.at(-1)?.count ?? 0 },
    ];
  };
  // A registry asks a metric for its name and its values only.
  registry.registerMetric({ name, get } as unknown as Metric);
}
