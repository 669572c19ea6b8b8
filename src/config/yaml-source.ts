import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  Parser,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
import type { Problem } from './problem.js';

/** Nesting that a reader could follow; far below what exhausts the stack of the YAML composer, which ends the process. */
const DEPTH_MAX = 32;
/** How much aliases may multiply the document, by the yaml package's own measure. */
const ALIASES_MAX = 100;

/** A YAML 1.2 text (core schema: `yes` and `on` are strings, `0660` is the number 660) that knows where its values stand. */
export class YamlSource {
  /** What is wrong with it as YAML; `value` is then undefined. */
  readonly problems: readonly Problem[];
  readonly value: unknown;
  readonly #document: Document | undefined;
  readonly #lines = new LineCounter();

  constructor(text: string) {
    const tooDeep = firstTooDeep(text);
    if (tooDeep !== undefined) {
      const line = text.slice(0, tooDeep).split('\n').length;
      this.problems = [{ line, column: 1, text: `expected at most ${DEPTH_MAX} levels of nesting; more came` }];
      return;
    }
    // The package compares every key with every other; duplicateKeys() does it in one pass.
    const options = { version: '1.2', lineCounter: this.#lines, uniqueKeys: false, prettyErrors: false } as const;
    const document = parseDocument(text, options);
    this.#document = document;
    const faults = [...document.errors, ...document.warnings];
    this.problems = [
      ...faults.map(({ message, pos }) => this.#problemAt(pos[0], `not YAML as expected: ${message}`)),
      ...this.#duplicateKeys(document),
    ];
    if (this.problems.length > 0) return;
    try {
      this.value = document.toJS({ maxAliasCount: ALIASES_MAX });
    } catch {
      this.problems = [{ line: 1, column: 1, text: `expected aliases that multiply at most to ${ALIASES_MAX} nodes` }];
    }
  }

  /** A problem with the value at a path: at the value itself, or at the nearest mapping or list around it that is there. */
  problem(path: readonly PropertyKey[], text: string): Problem {
    return this.#problemAt(this.#nodeAt(path)?.range?.[0] ?? 0, text);
  }

  /** A problem with a key of the mapping at a path. */
  keyProblem(path: readonly PropertyKey[], key: string, text: string): Problem {
    const owner = this.#nodeAt(path);
    const pair = isMap(owner) ? pairOf(owner, key) : undefined;
    return this.#problemAt((isNode(pair?.key) ? pair.key : owner)?.range?.[0] ?? 0, text);
  }

  #problemAt(offset: number, text: string): Problem {
    const { line, col } = this.#lines.linePos(offset);
    return { line, column: col, text };
  }

  #nodeAt(path: readonly PropertyKey[]): Node | undefined {
    let node = this.#resolve(this.#document?.contents);
    for (const step of path) {
      const inner = isSeq(node)
        ? node.items[Number(step)]
        : isMap(node)
          ? pairOf(node, String(step))?.value
          : undefined;
      const next = this.#resolve(inner);
      if (next === undefined) return node;
      node = next;
    }
    return node;
  }

  #resolve(node: unknown): Node | undefined {
    if (isAlias(node)) return this.#document && node.resolve(this.#document);
    return isNode(node) ? node : undefined;
  }

  #duplicateKeys(document: Document): Problem[] {
    const problems: Problem[] = [];
    visit(document, {
      Map: (_, map) => {
        const seen = new Set<string>();
        for (const { key } of map.items) {
          const name = isScalar(key) ? String(key.value) : undefined;
          const offset = (isNode(key) ? key.range?.[0] : undefined) ?? 0;
          if (name === undefined) problems.push(this.#problemAt(offset, 'expected a plain word as key'));
          else if (seen.has(name)) problems.push(this.#problemAt(offset, `"${name}" stands here twice; keep one`));
          else seen.add(name);
        }
      },
    });
    return problems;
  }
}

function pairOf(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === key);
}

/** The offset at which the text nests deeper than it may. The package's parser keeps its own stack, so this is safe at any depth. */
function firstTooDeep(text: string): number | undefined {
  const parser = new Parser();
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme));
    offset += lexeme.length;
    if (parser.stack.length > DEPTH_MAX) return offset;
  }
  return undefined;
}
