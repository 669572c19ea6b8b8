import { readdirSync, readFileSync } from 'node:fs';

/** The processes whose parent this is (proc(5), stat), by ascending pid. */
export function childrenOf(parent: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => Number(statOf(pid)?.[PPID]) === parent);
}

/** Resident memory with shared pages counted in part (proc(5), smaps_rollup), in MB of 1,000,000 bytes. */
export function pssMb(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return (Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1]) * 1024) / 1e6;
}

/** CPU time of a process so far, user and system, in microseconds; in steps of 10,000. */
export function cpuUs(pid: number): number {
  const stat = statOf(pid);
  return (Number(stat?.[UTIME]) + Number(stat?.[STIME])) * US_PER_TICK;
}

/** USER_HZ is 100 on Linux, whatever the kernel's own clock. */
const US_PER_TICK = 10_000;
/** Places in the line after the name of the program, which may hold blanks and stands in brackets. */
const PPID = 1;
const UTIME = 11;
const STIME = 12;

function statOf(pid: number): string[] | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return line.slice(line.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined; // it has ended
  }
}
