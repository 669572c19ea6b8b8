import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { loadConfig } from './load.js';
import { OPTIONS, type Option } from './options.js';

const FILE = fileURLToPath(new URL('../../examples/signet.yaml', import.meta.url));
const lines = readFileSync(FILE, 'utf8').split('\n');

/** `#option: value`, without a space after the "#", is an option that is switched off; `# text` is explanation. */
const SWITCHED_OFF = /^(\s*)#(?=[a-z0-9_]+:)/;
const everything = lines.map((line) => line.replace(SWITCHED_OFF, '$1')).join('\n');

/** Where every option of the example first stands: its name, such as `tokens.[].name`, and its line. */
const places = new Map<string, number>();
const counter = new LineCounter();
collect(parseDocument(everything, { lineCounter: counter, strict: true }).contents, []);

t.test('the example is a valid configuration', async (t) => {
  const config = loadConfig(FILE);
  t.equal(config.tokens[0]?.name, 'main');
  t.match(
    config.tokens[0]?.pin_file,
    /^\/.*\/examples\/main\.pin$/,
    'a relative path counts from the folder of the file',
  );
});

t.test('every option of the schema stands in the example, and nothing else does', async (t) => {
  const known = OPTIONS.map((option) => nameOf(option)).sort();
  t.ok(known.length > 50);
  t.same([...places.keys()].sort(), known);
});

t.test('every option is explained by a sentence of its own, with its default and its range', async (t) => {
  for (const option of OPTIONS) {
    const name = nameOf(option);
    const sentence = explanationOf(option);
    t.match(sentence, /[.:] ?|Default/, `${name} is explained`);
    if (option.defaultValue !== undefined && !isEmpty(option.defaultValue)) {
      t.match(sentence, `Default: ${asYaml(option.defaultValue)}`, `${name}: its default`);
    }
    const range = rangeOf(option);
    if (range) t.match(sentence, range, `${name}: its range`);
    if (name.endsWith('_ms')) t.match(sentence, 'milliseconds', `${name}: its unit`);
  }
});

function collect(node: Node | null | unknown, path: string[]): void {
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      if (!isScalar(key)) throw new Error('unexpected key');
      const inner = [...path, String(key.value)];
      const isOption = OPTIONS.some((option) => nameOf(option) === inner.join('.'));
      if (isOption && !places.has(inner.join('.')))
        places.set(inner.join('.'), counter.linePos(key.range?.[0] ?? 0).line);
      if (!isOption) collect(value, inner);
    }
  } else if (isSeq(node)) {
    for (const item of node.items) collect(item, [...path, '[]']);
  } else places.set(path.join('.'), 0);
}

function nameOf({ path }: Option): string {
  return path.join('.').replace(/\.\[\]$/, '');
}

/** The comment lines directly above. */
function explanationOf(option: Option): string {
  const line = places.get(nameOf(option)) ?? 0;
  const above: string[] = [];
  for (let i = line - 2; i >= 0 && /^\s*# /.test(lines[i] ?? ''); i--)
    above.unshift(lines[i]?.replace(/^\s*# /, '') ?? '');
  return above.join(' ');
}

function rangeOf({ schema, path }: Option): string | undefined {
  const { issues } = schema.safeParse(Symbol('neither')).error ?? { issues: [] };
  const [, min, max] = /from (\d+) to (\d+)/.exec(issues[0]?.message ?? '') ?? [];
  if (path.at(-1) === 'slot') return 'an integer from 0';
  return max && `${min} to ${max}`;
}

function asYaml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.join(', ')}]`;
  return typeof value === 'string' && /^\d+$/.test(value) ? JSON.stringify(value) : String(value);
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
