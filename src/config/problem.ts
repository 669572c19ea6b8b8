import { SignetError } from '../errors.js';

/** One thing that is wrong with a configuration. Line and column count from 1; 0 if the problem has no place. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  /** One sentence: where in the options, what was expected, what came. */
  readonly text: string;
}

/** What is wrong with a configuration file, all in one message and each by itself. */
export class ConfigError extends SignetError {
  /** In the order of the file, as `signet.yaml:12:5: tokens[0].signers: expected …`. */
  readonly problems: readonly string[];

  constructor(fileName: string, problems: readonly Problem[], options?: ErrorOptions) {
    const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
    const lines = sorted.map((problem) => describe(fileName, problem));
    super('invalid_argument', shorten(lines).join('; '), options);
    this.name = 'ConfigError';
    this.problems = lines;
  }
}

const SHOWN_MAX = 20;

function describe(fileName: string, { line, column, text }: Problem): string {
  return line === 0 ? `${fileName}: ${text}` : `${fileName}:${line}:${column}: ${text}`;
}

function shorten(lines: readonly string[]): readonly string[] {
  if (lines.length <= SHOWN_MAX) return lines;
  return [...lines.slice(0, SHOWN_MAX), `and ${lines.length - SHOWN_MAX} more problems`];
}
