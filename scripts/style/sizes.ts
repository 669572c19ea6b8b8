import { extname } from 'node:path';

/** Lines of a file and of a function, by language (docs/development.md). Past them one comment must say why. */
const LIMITS: Readonly<Record<string, { file: number; function: number }>> = {
  '.ts': { file: 400, function: 70 },
  '.c': { file: 700, function: 80 },
  '.h': { file: 700, function: 80 },
  '.sh': { file: 400, function: 70 },
};

/** `// style: long because …` (or `#`, or within a C comment). On top of a function, or anywhere for the file. */
const EXEMPTION = /(\/\/|#|\*) ?style: long because \S/;

/** What is too long in a file, in sentences that begin with `path:line`. */
export function tooLong(path: string, text: string): string[] {
  const limit = LIMITS[extname(path)];
  if (!limit) return [];
  const lines = text.split('\n');
  if (lines.some((line) => EXEMPTION.test(line))) return [];
  const found: string[] = [];
  if (lines.length - 1 > limit.file) found.push(`${path}:1 has ${lines.length - 1} lines; the limit is ${limit.file}`);
  const opens = extname(path) === '.ts' ? opensFunction : opensFunctionOfC;
  for (const { start, length } of functions(lines, opens)) {
    if (length > limit.function) {
      found.push(`${path}:${start} begins a function of ${length} lines; the limit is ${limit.function}`);
    }
  }
  return found;
}

/**
 * Functions by their shape after formatting (Biome, clang-format): a line that opens one and the first line at the same
 * indentation that begins with the closing brace. No parser: it also sees a long block under a condition that spans lines.
 */
function functions(lines: readonly string[], opens: (line: string) => boolean): { start: number; length: number }[] {
  const found: { start: number; length: number }[] = [];
  lines.forEach((line, index) => {
    if (!opens(line)) return;
    const indent = /^\s*/.exec(line)?.[0] ?? '';
    const end = lines.findIndex((candidate, at) => at > index && candidate.startsWith(`${indent}}`));
    if (end > index) found.push({ start: index + 1, length: end - index + 1 });
  });
  return found;
}

function opensFunction(line: string): boolean {
  if (!/\{\s*$/.test(line) || /^\s*(if|for|while|switch|catch|else|do|\} else|\} catch)\b/.test(line)) return false;
  return /\bfunction\b|=> \{$|\)(: .+)? \{$/.test(line.trimEnd());
}

/** C and shell have functions at the outermost level only. */
function opensFunctionOfC(line: string): boolean {
  return /^\S.*\) \{$/.test(line);
}
