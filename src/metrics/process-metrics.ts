import { readdirSync, readFileSync } from 'node:fs';
import type { Registry } from 'prom-client';
import { exposeHistogram, exposeValues } from './exposed.js';
import type { LoopLag } from './loop-lag.js';
import { METRICS } from './metric-names.js';

/** What Prometheus' client libraries tell of every process, under their names. */
export function exposeProcess(registry: Registry, loopLag: LoopLag): void {
  const one = (value: number) => [{ labels: {}, value }];
  const maxFds = maxFdsOf();
  exposeValues(registry, METRICS.cpu, () => one(cpuSeconds()));
  exposeValues(registry, METRICS.startTime, () => one(Math.round(performance.timeOrigin) / MILLISECONDS));
  exposeValues(registry, METRICS.residentMemory, () => one(process.memoryUsage.rss()));
  exposeValues(registry, METRICS.heap, () => one(process.memoryUsage().heapUsed));
  exposeValues(registry, METRICS.openFds, () => one(readdirSync('/proc/self/fd').length - 1));
  exposeValues(registry, METRICS.maxFds, () => one(maxFds));
  exposeHistogram(registry, METRICS.loopLag, () => [{ labels: {}, buckets: loopLag.buckets }]);
}

const MILLISECONDS = 1_000;
const MICROSECONDS = 1e6;

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / MICROSECONDS;
}

/** proc(5); it does not change while the process runs. */
function maxFdsOf(): number {
  return Number(/^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 0);
}
