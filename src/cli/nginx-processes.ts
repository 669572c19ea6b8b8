import { readdirSync, readFileSync } from 'node:fs';

/** One process of a running NGINX, as /proc shows it. */
export interface NginxProcess {
  readonly pid: number;
  /** NGINX's own words: `master process …`, `worker process`. */
  readonly title: string;
  /** The OpenSSL provider is loaded. */
  readonly provider: boolean;
  /** The preload library is loaded. */
  readonly preload: boolean;
  /** Handshakes that paused for their signature; undefined: none yet, or only root may read how many. */
  readonly paused: number | undefined;
  /** Some have. */
  readonly atWork: boolean;
}

/** SIGNET__TALLY_NAME of native/async/tally.h, as /proc/PID/maps names it. */
const TALLY = '/memfd:signet-async-at-work';
/** NGINX and its kin, whose workers have the same event loop. */
const NAMES = ['nginx', 'angie', 'freenginx'];

/** Those of this machine that the caller may look at; `hidden` counts the others. */
export function findNginx(proc = '/proc'): { processes: NginxProcess[]; hidden: number } {
  const pids = readdirSync(proc).filter(
    (name) => /^\d+$/.test(name) && NAMES.includes(read(`${proc}/${name}/comm`).trim()),
  );
  const looks = pids.map((pid) => look(proc, pid));
  const processes = looks.filter((found) => found !== undefined);
  return { processes, hidden: looks.length - processes.length };
}

function look(proc: string, pid: string): NginxProcess | undefined {
  const maps = read(`${proc}/${pid}/maps`);
  if (maps === '') return undefined;
  const tally = maps.split('\n').find((line) => line.includes(TALLY));
  return {
    pid: Number(pid),
    title: read(`${proc}/${pid}/cmdline`).replaceAll('\0', ' ').trim(),
    provider: /\/signet\.so$/m.test(maps),
    preload: /\/signet_async\.so$/m.test(maps),
    atWork: tally !== undefined,
    paused: tally === undefined ? undefined : readTally(proc, pid, tally),
  };
}

/** proc(5), /proc/PID/map_files: for root only. */
function readTally(proc: string, pid: string, line: string): number | undefined {
  const range = line.split(' ')[0]?.replace(/^0+(?=.)|(?<=-)0+(?=.)/g, '') ?? '';
  try {
    return Number(readFileSync(`${proc}/${pid}/map_files/${range}`).readBigUInt64LE(0));
  } catch {
    return undefined;
  }
}

/** Empty if it ended meanwhile, or is another user's. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
