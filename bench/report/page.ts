import type { ExperimentResult, RunResult } from '../measure.js';
import { figuresOf, type Gate, isMet, missedBy } from './gates.js';
import { medianOf, type Plot } from './plots.js';
import { COLUMNS, shown } from './text.js';

/** All that `make bench` found out; what bench/results/results.json holds. */
export interface Results {
  readonly length: string;
  /** Machine, commit, versions: report/machine.ts. */
  readonly machine: Readonly<Record<string, string>>;
  /** Whether other processes wanted the processors. */
  readonly busy: boolean;
  readonly experiments: readonly ExperimentResult[];
  readonly gates: readonly (Gate & { readonly reason: string })[];
}

/** docs/benchmarks.md. `folder` is where the plots lie, seen from the page. */
export function pageOf(results: Results, plots: readonly Plot[], folder: string): string {
  const missed = results.gates.filter((gate) => !isMet(gate)).length;
  const parts = [
    HEAD,
    `This was a ${results.length} run on the machine below.${results.busy ? BUSY : ''}`,
    machineTable(results.machine),
    '## Gates',
    `${GATES_HEAD} ${missed === 0 ? 'All are met.' : `${missed} of ${results.gates.length} are missed.`}`,
    gateTable(results.gates),
    '## Plots',
    ...plots.map(({ name, title }) => `![${title}](${folder}/${name}.svg)`),
    '## Figures',
    FIGURES_HEAD,
    ...results.experiments.flatMap(({ question, runs }) => [`### ${question}`, runTable(runs)]),
  ];
  return `${parts.join('\n\n')}\n`;
}

const HEAD = `# Benchmarks

How far Signet is from what the token alone can do, and from what people would use instead. \`make bench\` writes this page, the plots and
\`bench/results/results.json\`; \`make bench QUICK=1\` measures what the gates look at, in under two minutes; \`GATE=1\` fails when one is missed.
[Performance](performance.md) says where the time goes.

Every figure is the median over the turns of an experiment, whose runs take turns in one go: a machine's speed drifts, so only what was
measured side by side compares. Audit, grants and the default verification are always on. An open loop asks at a constant rate and counts each
latency from when the request was due, so no stall is left out; gRPC's load is made by Node.js, whose timers add up to a millisecond there.`;

const BUSY = ' **It was busy with other things: these figures are worth little.**';

const GATES_HEAD = `Each is a ratio, a difference or a CPU time within one experiment, the median of its turns, or the worst where it says so; \`bench/gates.json\` has them.`;

const FIGURES_HEAD = `Latencies and CPU times in microseconds, for each signature or handshake; memory in MB (Pss). *load* is the CPU time of the
load's own process; *blocked* is what a web server's worker waits for signatures. A *plain page* is asked for over HTTP on a connection of its
own, at a constant rate, and counts from when it was due; how late its load began 99 of 100 of them is told beside it.`;

function machineTable(machine: Readonly<Record<string, string>>): string {
  return tableOf([['', ''], ...Object.entries(machine)], 0);
}

function gateTable(gates: Results['gates']): string {
  const rows = gates.map((gate) => {
    const { value, bound } = figuresOf(gate);
    const missed = gate.problem ? 'missed' : `missed by ${missedBy(gate)}`;
    const verdict = isMet(gate) ? 'met' : `**${missed}**`;
    return [gate.what, gate.problem ?? value, `${gate.must} ${bound}`, verdict, gate.reason];
  });
  return tableOf([['', 'measured', 'goal', '', 'why'], ...rows], 1);
}

function runTable(runs: readonly RunResult[]): string {
  const columns = COLUMNS.filter(([figure]) => runs.some(({ samples }) => medianOf(samples, figure) > 0));
  const rows = runs.map(({ name, samples }) => [name, ...columns.map(([figure]) => shown(medianOf(samples, figure)))]);
  return tableOf([['', ...columns.map(([, heading]) => heading)], ...rows], 1);
}

/** The columns from `numbers` on are right-aligned. */
function tableOf(rows: readonly (readonly string[])[], numbers: number): string {
  const [heading = [], ...rest] = rows;
  const rule = heading.map((_, i) => (numbers > 0 && i >= numbers ? '---:' : '---'));
  return [heading, rule, ...rest].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
