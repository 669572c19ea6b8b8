import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Measured } from './measured.js';

/** Told when the measured part of a load begins and ends, so that what others used meanwhile can be read off. */
export interface Watch {
  begin(): void;
  end(): void;
}

/**
 * Runs a program that prints its measurement as a line of JSON. Before it, lines `begin` and `end` may say when the measured part is;
 * without them it is the whole run. Throws with what it said on stderr when it fails.
 */
export async function runLoad(
  program: string,
  words: readonly string[],
  watch: Watch,
  environment: Readonly<Record<string, string>> = {},
): Promise<Measured> {
  const child = spawn(program, words, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const seen = { ended: false, json: '' };
  watch.begin();
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'begin') watch.begin();
    else if (line === 'end') {
      seen.ended = true;
      watch.end();
    } else seen.json = line;
  });
  let said = '';
  child.stderr.on('data', (data) => {
    said += data;
  });
  const code = await new Promise((resolve, reject) => child.once('close', resolve).once('error', reject));
  if (!seen.ended) watch.end();
  if (code !== 0) throw new Error(`${program} ${words.join(' ')} ended with ${code}: ${said.trim()}`);
  return JSON.parse(seen.json);
}

/** `{ seconds: 2 }` as `--seconds 2`; undefined ones are left out. */
export function words(options: Readonly<Record<string, string | number | undefined>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, String(value)]));
}
