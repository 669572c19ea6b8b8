import { readdirSync, readFileSync } from 'node:fs';

/** Resident memory of a process (proc(5), status), in MiB. */
export function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** How many descriptors a process has open. */
export function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Looks at the memory of a process again and again, to know the most that it had, in MiB. */
export function watchMemory(pid: number): { readonly mostMiB: number; stop(): void } {
  let mostMiB = residentMiB(pid);
  const timer = setInterval(() => {
    mostMiB = Math.max(mostMiB, residentMiB(pid));
  }, LOOK_MS);
  return {
    get mostMiB() {
      return mostMiB;
    },
    stop: () => clearInterval(timer),
  };
}

const LOOK_MS = 100;

/** The slope of the line through the points that fits best (least squares). */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const above = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return above / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}
