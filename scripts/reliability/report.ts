import { GOALS, type GoalId } from '../../test/reliability/goals.js';
import type { RecordedFigure } from '../../test/reliability/measured-goal.js';

/** docs/reliability.md: every goal with what was measured of it last. A soak stands before the short form of the same figure. */
export function reliabilityPage(figures: readonly RecordedFigure[]): string {
  const ids = Object.keys(GOALS) as GoalId[];
  const rows = ids.flatMap((id) => rowsOf(id, chosen(figures.filter((figure) => figure.id === id))));
  return `${[...HEAD, ...summary(ids, figures), '', ...TABLE_HEAD, ...rows, '', ...machines(figures)].join('\n')}\n`;
}

/** Of the same figure in the same form the later one; in the order of the goals. */
export function merged(known: readonly RecordedFigure[], news: readonly RecordedFigure[]): RecordedFigure[] {
  const ids = Object.keys(GOALS);
  const latest = new Map<string, RecordedFigure>();
  for (const figure of [...known, ...news].sort((a, b) => a.when.localeCompare(b.when))) {
    if (figure.id in GOALS) latest.set(`${ids.indexOf(figure.id) + 10} ${figure.goal} ${figure.form}`, figure);
  }
  return [...latest].sort(([a], [b]) => a.localeCompare(b)).map(([, figure]) => figure);
}

export function holds({ measured, must, bound }: RecordedFigure): boolean {
  return must === 'at least' ? measured >= bound : measured <= bound;
}

const HEAD = [
  '# Reliability',
  '',
  'What the service has to reach under load, under faults and from bad input, and what was measured of it. `make reliability` writes this',
  'page from what the tests recorded: every goal has a test that is named after it and judges it. *short* is the form of `make test`,',
  "seconds long; *soak* is `make soak`, with the goal's own length and number. Faults are injected by `native-test/faulty`.",
  'A figure that misses its goal is told as it is; the test allows a busy machine more than the goal does, and says so. *load* is how many',
  'processes wanted a processor meanwhile, all told, in the minute before: times that were taken with more than there are processors say little.',
  '',
];
const TABLE_HEAD = ['| goal | measured | | form | load | date | commit |', '|---|---|---|---|---|---|---|'];

/** Of the same figure the soak, else the short form. */
function chosen(figures: readonly RecordedFigure[]): RecordedFigure[] {
  const soaked = new Set(figures.filter(({ form }) => form === 'soak').map(({ goal }) => goal));
  const kept = figures.filter(({ form, goal }) => form === 'soak' || !soaked.has(goal));
  return kept.sort((a, b) => a.goal.localeCompare(b.goal));
}

function rowsOf(id: GoalId, figures: readonly RecordedFigure[]): string[] {
  const goal = `**${id}** ${cell(GOALS[id])}`;
  if (figures.length === 0) return [`| ${goal} | not measured | | | | | |`];
  return figures.map((figure, i) => `| ${i === 0 ? goal : ''} | ${cellsOf(figure)} |`);
}

function cellsOf(figure: RecordedFigure): string {
  const { goal, of, form, when, commit, load } = figure;
  const what = `${cell(goal)}: **${amount(figure.measured, figure.unit)}**${of === undefined ? '' : ` (${cell(of)})`}`;
  const wanted = `${figure.must} ${amount(figure.bound, figure.unit)}`;
  const verdict = holds(figure) ? `holds: ${wanted}` : `**does not hold: ${wanted}**`;
  return [what, verdict, form, load?.toFixed(1) ?? '-', when.slice(0, 16).replace('T', ' '), commit].join(' | ');
}

function summary(ids: readonly GoalId[], figures: readonly RecordedFigure[]): string[] {
  const measured = ids.filter((id) => figures.some((figure) => figure.id === id));
  const missed = measured.filter((id) => chosen(figures.filter((figure) => figure.id === id)).some((f) => !holds(f)));
  const not = ids.filter((id) => !measured.includes(id));
  return [
    `Of ${ids.length} goals ${measured.length} were measured and ${measured.length - missed.length} hold.`,
    ...(missed.length > 0 ? [`Do not hold in all their figures here: ${missed.join(', ')}.`] : []),
    ...(not.length > 0 ? [`Not measured: ${not.join(', ')}.`] : []),
  ];
}

function machines(figures: readonly RecordedFigure[]): string[] {
  const names = [...new Set(figures.map(({ machine }) => machine))];
  return names.length === 0 ? [] : [`Measured on ${names.join('; ')}.`];
}

function amount(value: number, unit: string): string {
  const digits = Number.isInteger(value) ? value.toLocaleString('en') : value.toFixed(Math.abs(value) < 10 ? 2 : 1);
  return unit === '' || unit === '%' ? `${digits}${unit}` : `${digits} ${unit}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
