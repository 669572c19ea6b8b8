import type { z } from 'zod';
import { nearest } from './nearest.js';
import { namesAt } from './options.js';
import type { Problem } from './problem.js';
import type { YamlSource } from './yaml-source.js';

type Issue = z.core.$ZodIssue;

/** Nobody corrects more in one go, and a file of nothing but faults must not cost minutes. */
const SHOWN_MAX = 100;

/** What the schema found, in words: the option, what was expected, what came, and where it stands. */
export function problemsOf(issues: readonly Issue[], source: YamlSource): Problem[] {
  return issues.slice(0, SHOWN_MAX).flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys
        .slice(0, SHOWN_MAX)
        .map((key) => source.keyProblem(issue.path, key, unknownKey(issue.path, key)));
    }
    if (issue.code === 'invalid_key') {
      const expected = issue.issues[0]?.message ?? 'another key';
      return [source.keyProblem(issue.path.slice(0, -1), String(issue.path.at(-1)), wording(issue, expected))];
    }
    return [source.problem(issue.path, wording(issue, issue.message))];
  });
}

/** `tokens[0].signers`. */
export function optionName(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? String(step) : `${text}.${String(step)}`;
  }, '');
}

function wording(issue: Issue, expected: string): string {
  const option = optionName(issue.path);
  const what = option === '' ? '' : `${option}: `;
  if (issue.code !== 'custom' && issue.input === undefined) return `${what}missing; expected ${expected}`;
  return `${what}expected ${expected}${issue.code === 'custom' ? '' : `, got ${show(issue.input)}`}`;
}

/** An unknown key's value is not shown: it may be a secret in the wrong place. */
function unknownKey(path: readonly PropertyKey[], key: string): string {
  const option = optionName([...path, key]);
  if (SECRET.test(key)) return `${option}: no secret stands in this file; use pin_file or pin_credential`;
  const known = namesAt(path) ?? [];
  const guess = nearest(key, known);
  return `${option}: no such option; ${guess ? `did you mean "${guess}"?` : `known here: ${known.join(', ')}`}`;
}

const SECRET = /^(user_?)?pin(_?value)?$|passw|secret/i;
const VALUE_CHARACTERS_MAX = 60;

function show(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'a mapping';
  const text = typeof value === 'bigint' ? String(value) : JSON.stringify(value);
  return text.length <= VALUE_CHARACTERS_MAX ? text : `${text.slice(0, VALUE_CHARACTERS_MAX)}…`;
}
