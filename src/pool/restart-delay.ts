/** A signer that was ready for so long is no part of a series of deaths any more. */
export const STABLE_MS = 60_000;
const DELAY_MS_MIN = 100;
const DELAY_MS_MAX = 10_000;

/**
 * How long a place waits before it is filled again, by the number of deaths in a row: the first is made good at once, the next
 * after 0.1 s, 0.2 s, 0.4 s and so on, to 10 s.
 */
export function restartDelayMs(deathsInARow: number): number {
  return deathsInARow <= 1 ? 0 : Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** (deathsInARow - 2));
}
