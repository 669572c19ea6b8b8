/** The tables of docs/programs.md and README.md, made from how the cells went. */
import { type Cell, cellsOf, KEY_KINDS, KEY_NAMES, type KeyKind, type Row, type Untested, waysOf } from './cells.js';

export type Outcomes = ReadonlyMap<string, boolean>;

/** What names a cell among the outcomes. */
export function outcomeName({ row, key, way }: Cell): string {
  return [row.program, row.naming, key, way].join('\t');
}

/** As if all had passed. */
export function allPassed(rows: readonly Row[]): Outcomes {
  return new Map(cellsOf(rows, false).map((cell) => [outcomeName(cell), true]));
}

/** A line for each row, a column for each kind of key. */
export function fullTable(rows: readonly Row[], untested: readonly Untested[], outcomes: Outcomes): string {
  const head = ['program', 'how it names the key', ...KEY_KINDS.map((kind) => KEY_NAMES[kind])];
  const lines = rows.map((row) => [row.program, row.naming, ...KEY_KINDS.map((kind) => wordOf(row, kind, outcomes))]);
  const rest = untested.map(({ program, naming, why }) => [
    program,
    naming,
    `untested: ${why}`,
    ...KEY_KINDS.slice(1).map(() => ''),
  ]);
  return markdown(head, [...lines, ...rest]);
}

/** A line for each program; those that are alike share one. */
export function shortTable(rows: readonly Row[], untested: readonly Untested[], outcomes: Outcomes): string {
  const lines = new Map<string, string[]>();
  for (const program of new Set(rows.map((row) => row.program))) {
    const own = rows.filter((row) => row.program === program);
    const facts = [
      unique(
        own.map(({ naming }) => naming),
        '; ',
      ),
      keysText(own, outcomes),
      waysText(own),
    ];
    lines.set(facts.join('\t'), [...(lines.get(facts.join('\t')) ?? []), program]);
  }
  const tried = [...lines].map(([facts, programs]) => [programs.join('; '), ...facts.split('\t')]);
  const rest = untested.map(({ program, naming, why }) => [program, naming, `untested: ${why}`, '']);
  return markdown(['program', 'how it names the key', 'keys', 'TLS'], [...tried, ...rest]);
}

/** The versions of TLS that passed, `yes` for a signature; a dash where there is nothing to try. */
function wordOf(row: Row, key: KeyKind, outcomes: Outcomes): string {
  if (!row.keys.includes(key)) return '–';
  const cells = waysOf(row, key).map((way) => ({ row, key, way }));
  const words = cells.map((cell) => {
    const passed = outcomes.get(outcomeName(cell));
    const word = cell.way === 'signature' ? 'yes' : cell.way;
    return passed ? word : passed === undefined ? `${cell.way} untested` : `${cell.way} FAILED`;
  });
  return words.join(' ');
}

/** The kinds for which every cell of some row passed. */
function keysText(rows: readonly Row[], outcomes: Outcomes): string {
  const passed = KEY_KINDS.filter((key) =>
    rows.some(
      (row) => row.keys.includes(key) && waysOf(row, key).every((way) => outcomes.get(outcomeName({ row, key, way }))),
    ),
  );
  return passed.length === KEY_KINDS.length ? 'all' : passed.map((key) => KEY_NAMES[key]).join(', ');
}

function waysText(rows: readonly Row[]): string {
  return unique(
    rows.flatMap(({ ways }) => ways).filter((way) => way !== 'signature'),
    ', ',
  );
}

function unique(words: readonly string[], between: string): string {
  return [...new Set(words)].join(between);
}

function markdown(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const rows = [head, head.map(() => '---'), ...lines];
  const text = rows.map((cells) => `|${cells.map((cell) => (cell === '' ? ' ' : ` ${cell} `)).join('|')}|`);
  return `${text.join('\n')}\n`;
}

const BEGIN = '<!-- the matrix: made by native-test/matrix -->\n';
const END = '<!-- the end of the matrix -->';

/** The page with this table in the place of its own. Throws if it has no place for one. */
export function withTable(page: string, table: string): string {
  const from = page.indexOf(BEGIN);
  const to = page.indexOf(END);
  if (from < 0 || to < from) throw new Error(`expected ${BEGIN.trim()} and ${END} in the page`);
  return `${page.slice(0, from)}${BEGIN}\n${table}\n${page.slice(to)}`;
}
