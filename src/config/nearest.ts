/** The known name that a misspelt one most likely means: at most a third of its letters away, rounded up; undefined if none is so near. */
export function nearest(misspelt: string, known: readonly string[]): string | undefined {
  const word = misspelt.slice(0, LETTERS_MAX).toLowerCase().replaceAll('-', '_');
  const ranked = known
    .map((name) => ({ name, distance: distance(word, name) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best && best.distance <= Math.ceil(best.name.length / 3) ? best.name : undefined;
}

/** Longer than every known name; bounds the work. */
const LETTERS_MAX = 64;

/** Levenshtein's: insertions, deletions and replacements. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}
