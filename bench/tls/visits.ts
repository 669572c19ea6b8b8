import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Load, VisitPace } from '../experiment.js';
import type { Measured, Sample } from '../measured.js';
import { runLoad, type Watch, words } from '../program.js';

const PROGRAM = join(import.meta.dirname, '../../build/bench/visits');
const WARMUP_SECONDS = 0.1;
/** Of the handshakes that an open loop asks for, those that must have ended when the time is over. */
const KEPT_UP = 0.9;

/**
 * Makes handshakes, and fetches plain pages meanwhile if the load wants that. `ports` has the server's by kind of key and version, such as
 * `ec 1.3`, and `plain`. Throws when one fails, or when a worker does not keep up with an open loop.
 */
export async function visit(
  ports: Readonly<Record<string, number>>,
  load: Load & { by: 'handshakes' },
  seconds: number,
  watch: Watch,
): Promise<Sample> {
  const { key, version, pace, pagesPerSecond } = load;
  const [handshakes, pages] = await Promise.all([
    visits({ port: ports[`${key} ${version}`], version, ...optionsOf(pace), seconds }, watch),
    pagesPerSecond && visits({ port: ports.plain, version: 'plain', rate: pagesPerSecond, seconds }, NOBODY),
  ]);
  if ('perSecond' in pace && handshakes.per_second < KEPT_UP * pace.perSecond)
    throw new Error(`the worker makes ${handshakes.per_second} handshakes/s of ${pace.perSecond} that are begun`);
  return pages ? { ...handshakes, ...figuresOf(pages) } : handshakes;
}

const NOBODY: Watch = { begin: () => undefined, end: () => undefined };

/** Not on the first core, which is the worker's own. */
function visits(options: Parameters<typeof words>[0], watch: Watch): Promise<Measured> {
  const others = `1-${cpus().length - 1}`;
  return runLoad('taskset', ['--cpu-list', others, PROGRAM, ...words({ ...options, warmup: WARMUP_SECONDS })], watch);
}

function optionsOf(pace: VisitPace): { concurrent: number } | { rate: number } {
  return 'atOnce' in pace ? { concurrent: pace.atOnce } : { rate: pace.perSecond };
}

function figuresOf({ p50_us, p99_us, max_us, late_p99_us = Number.NaN }: Measured) {
  return { page_us: p50_us, page_p99_us: p99_us, page_max_us: max_us, page_late_us: late_p99_us };
}
