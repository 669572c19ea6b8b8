/**
 * The tests of the goals have two forms: `make test` runs the short one, some seconds long; `make soak` runs the goal's own length and
 * number (SIGNET_SOAK), or as much of it as fits into FOR minutes (SIGNET_SOAK_MINUTES).
 */
export function form(): 'short' | 'soak' {
  return process.env.SIGNET_SOAK === undefined ? 'short' : 'soak';
}

/** A number or a size of the test, by its form. */
export function sized<T>(short: T, soak: T): T {
  return form() === 'soak' ? soak : short;
}

/** How long a load lasts: the short form's seconds, the goal's own, or FOR minutes. In seconds. */
export function seconds(short: number, soak: number): number {
  if (form() === 'short') return short;
  return FOR_MINUTES > 0 ? FOR_MINUTES * 60 : soak;
}

/** Counts 1, 2, … to the number of the form; a soak ends early when FOR minutes are over. */
export function* times(short: number, soak = 100): Generator<number> {
  const endMs = FOR_MINUTES > 0 ? performance.now() + FOR_MINUTES * 60_000 : Number.POSITIVE_INFINITY;
  for (let n = 1; n <= sized(short, soak) && (n === 1 || performance.now() < endMs); n++) yield n;
}

const FOR_MINUTES = Number(process.env.SIGNET_SOAK_MINUTES ?? 0);
