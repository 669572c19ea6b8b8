/** For the tests that are shell scripts: record.ts ID GOAL MEASURED UNIT 'at least'|'at most' BOUND [OF]. */
import { GOALS, type GoalId } from './goals.js';
import { recordGoal } from './measured-goal.js';

const [id = '', goal = '', measured, unit = '', must, bound, of] = process.argv.slice(2);
if (!(id in GOALS)) throw new Error(`expected the id of a goal; "${id}" came; test/reliability/goals.ts has them`);
if (must !== 'at least' && must !== 'at most') throw new Error(`expected "at least" or "at most"; "${must}" came`);
recordGoal({
  id: id as GoalId,
  goal,
  measured: Number(measured),
  unit,
  must,
  bound: Number(bound),
  ...(of !== undefined && { of }),
});
