import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { machine as whereItRuns } from '../../bench/report/machine.js';
import type { GoalId } from './goals.js';
import { form } from './soak.js';

/** One figure that the test of a goal measured. */
export interface Figure {
  readonly id: GoalId;
  /** What was measured, in the same words at each run: they tell the figures of a goal apart. */
  readonly goal: string;
  readonly measured: number;
  readonly unit: string;
  readonly must: 'at least' | 'at most';
  /** The goal's own bound, also where the test allows a busy machine more. */
  readonly bound: number;
  /** How often the fault was there, how many messages came, …: what the figure was taken from. */
  readonly of?: string;
}

/** A figure as it lies in the results folder: a file of its own, replaced by the next run of the same form. */
export interface RecordedFigure extends Figure {
  readonly form: 'short' | 'soak';
  readonly machine: string;
  readonly commit: string;
  readonly when: string;
  /** Processes that wanted a processor over the last minute: what is timed on a machine that is busy with other things says little. */
  readonly load: number;
}

/** Keeps what was measured in the folder SIGNET_GOAL_RESULTS, where `make reliability` finds it; without such a folder, nowhere. */
export function recordGoal(...figures: readonly Figure[]): void {
  const folder = process.env.SIGNET_GOAL_RESULTS;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  const { machine = '', commit = '', date = '' } = whereItRuns();
  for (const figure of figures) {
    const recorded: RecordedFigure = { ...figure, form: form(), machine, commit, when: date, load: loadavg()[0] ?? 0 };
    writeFileSync(join(folder, fileOf(recorded)), `${JSON.stringify(recorded, null, 2)}\n`);
  }
}

function fileOf({ id, goal, form }: RecordedFigure): string {
  return `${id}-${form}-${createHash('sha256').update(goal).digest('hex').slice(0, 12)}.json`;
}
