import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** The processes whose parent this is (proc(5), stat), by ascending pid. */
export function childrenOf(parent: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => parentOf(pid) === parent);
}

/** Resident memory with shared pages counted in part (proc(5), smaps_rollup), in MB of 1,000,000 bytes. */
export function pssMb(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return (Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1]) * 1024) / 1e6;
}

/** CPU time of a process's living threads so far, user and system, in microseconds (proc(5), schedstat). Throws if it has ended. */
export function cpuUs(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync(tasks)) throw new Error(`process ${pid} has ended; it should be there to be measured`);
  return readdirSync(tasks).reduce((sum, task) => sum + taskCpuNs(`${tasks}/${task}/schedstat`), 0) / 1000;
}

function taskCpuNs(schedstat: string): number {
  try {
    return Number(readFileSync(schedstat, 'utf8').split(' ')[0]);
  } catch {
    return 0; // it has ended
  }
}

function parentOf(pid: number): number {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name may hold blanks and stands in brackets; its state and its parent follow.
    return Number(line.slice(line.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return Number.NaN; // it has ended
  }
}
