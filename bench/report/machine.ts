import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** What a result has to name so that it can be compared, one fact a line. */
export function machine(): Record<string, string> {
  const [cpu] = cpus();
  const changed = run('git', 'status', '--porcelain') !== '';
  return {
    machine: `${cpus().length} x ${cpu?.model ?? 'unknown CPU'}, ${(totalmem() / 1e9).toFixed(1)} GB, Linux ${release()}`,
    commit: `${run('git', 'rev-parse', '--short=12', 'HEAD')}${changed ? ' with changes' : ''}`,
    node: process.version,
    softhsm: run('softhsm2-util', '--version'),
    openssl: run('openssl', 'version'),
    load: `${loadavg()
      .map((load) => load.toFixed(1))
      .join(', ')} over 1, 5 and 15 minutes before`,
    date: new Date().toISOString(),
  };
}

function run(command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}
