import type { Experiment, Load, Run } from './experiment.js';
import type { Sample } from './measured.js';
import { type Site, startSite } from './site.js';
import { median } from './statistics.js';

/** What came of a run: a sample of each turn. */
export interface RunResult {
  readonly name: string;
  readonly line?: string | undefined;
  readonly x?: number | undefined;
  readonly samples: readonly Sample[];
}

export interface ExperimentResult {
  readonly name: string;
  readonly question: string;
  readonly runs: readonly RunResult[];
}

/** Of the turn that is not counted: it wakes what was idle, and tells what open loops take their share of. In seconds. */
const FIRST_SECONDS = 0.3;

/**
 * Measures an experiment: all its sites stand at once and its runs take turns, every other turn backwards, so that a drift of the machine
 * favours nobody. What a site does not offer is left out.
 */
export async function measure(experiment: Experiment, start = startSite): Promise<ExperimentResult> {
  const sites = new Map<string, Site>();
  try {
    for (const { on } of experiment.runs) {
      const name = JSON.stringify(on);
      if (!sites.has(name)) sites.set(name, await start(on));
    }
    const siteOf = ({ on }: Run) => sites.get(JSON.stringify(on)) as Site;
    const runs = experiment.runs.filter((run) => siteOf(run).offers(run.load));
    const { name, question } = experiment;
    const samples = await takeTurns({ ...experiment, runs }, siteOf);
    return { name, question, runs: runs.map((run, i) => ({ ...named(run), samples: samples[i] ?? [] })) };
  } finally {
    for (const site of sites.values()) await site.end();
  }
}

function named({ name, line, x }: Run): Omit<RunResult, 'samples'> {
  return { name, line, x };
}

async function takeTurns(experiment: Experiment, siteOf: (run: Run) => Site): Promise<Sample[][]> {
  const { runs, turns, seconds } = experiment;
  const samples = runs.map((): Sample[] => []);
  const known = new Map<string, number[]>();
  const go = async (run: Run, seconds: number) => {
    const sample = await siteOf(run).measure(run.load, seconds, rateOf(run.load, known));
    known.set(run.name, [...(known.get(run.name) ?? []), sample.per_second]);
    return sample;
  };
  for (const run of runs) await go(run, run.firstSeconds ?? FIRST_SECONDS);
  for (let turn = 0; turn < turns; turn += 1) {
    const order = [...runs.keys()];
    if (turn % 2 === 1) order.reverse();
    for (const i of order) samples[i]?.push(await go(runs[i] as Run, seconds));
  }
  return samples;
}

/** Also of a service that answered nothing, the loop is open. */
const RATE_MIN = 1;

/** Per second, of what is known by then; undefined for a closed loop. */
function rateOf(load: Load, known: ReadonlyMap<string, readonly number[]>): number | undefined {
  if (!('pace' in load) || !('rate' in load.pace)) return undefined;
  const { of, share } = load.pace.rate;
  const seen = known.get(of);
  if (!seen) throw new Error(`an open loop takes its share of "${of}", which is no run before it`);
  return Math.max(RATE_MIN, share * median(seen));
}
