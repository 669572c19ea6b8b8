/**
 * `make bench`: measures the experiments of experiments.ts, judges the gates of gates.json, and writes bench/results and
 * docs/benchmarks.md. QUICK=1 is short; GATE=1 fails when a gate is missed; ONLY=word[,word] picks experiments by name and writes nothing.
 */
import { loadavg } from 'node:os';
import { experiments } from './experiments.js';
import { wakeUs } from './floor/run-floor.js';
import { type ExperimentResult, measure } from './measure.js';
import { evaluate, readGates } from './report/gate-list.js';
import { isMet, sentence } from './report/gates.js';
import { machine } from './report/machine.js';
import { textOf } from './report/text.js';
import { writeReport } from './report/write.js';

/** Processes that want a CPU, besides ours, over the last minute: half a core is much on a small machine. */
const BUSY_LOAD = 0.5;

const length = process.env.QUICK ? 'quick' : 'full';
const only = process.env.ONLY?.split(',');
const facts = {
  ...machine(),
  wake: `a round trip between two C processes adds ${wakeUs()} us; a signature makes two such trips`,
};
for (const [name, value] of Object.entries(facts)) console.log(`${name.padEnd(8)} ${value}`);
const busy = (loadavg()[0] ?? 0) > BUSY_LOAD;
if (busy) console.log('\nThe machine is busy with other things: these figures are worth little.');

const chosen = experiments(length).filter(({ name }) => !only || only.some((word) => name.includes(word)));
const results: ExperimentResult[] = [];
for (const experiment of chosen) {
  try {
    const result = await measure(experiment);
    results.push(result);
    console.log(`\n${textOf(result)}`);
  } catch (error) {
    // The others are worth measuring all the same.
    console.error(`\n${experiment.name} failed:`, error);
    process.exitCode = 1;
  }
}
const gates = evaluate(
  readGates().filter((gate) => chosen.some(({ name }) => name === gate.experiment)),
  results,
);
console.log(`\n${gates.map(sentence).join('\n')}`);
if (!only) await writeReport({ length, machine: facts, busy, experiments: results, gates });
console.log(`${Math.round(performance.now() / 1000)} s in all`);
if (process.env.GATE && !gates.every(isMet)) process.exitCode = 1;
