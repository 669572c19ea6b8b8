import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { oldSpaceGrowth } from '../../test/fixtures/old-space.js';
import { algorithmNamed } from '../algorithms.js';
import type { Pool, SignerView } from '../pool/pool.js';
import type { PublicKey } from '../public-key.js';
import type { Outcome, SignJob } from '../sign-job.js';
import { Scheduler } from './scheduler.js';

const OK: Outcome = { ok: true, signature: Buffer.alloc(64), queueUs: 0, tokenUs: 1000 };

const allJobs: TestJob[] = [];

class TestPool implements Pool {
  room: number;
  full = '';
  readonly handed: SignJob[] = [];
  onRoom = () => {};
  onReturn: (job: SignJob) => void = () => {};
  onKeys = () => {};
  onSigners = () => {};
  allKeysKnown = () => true;
  constructor(room: number) {
    this.room = room;
  }
  offer(job: SignJob): boolean {
    if (this.room === 0 || job.home === this.full) return false;
    this.room--;
    this.handed.push(job);
    return true;
  }
  free(): void {
    this.room++;
    this.onRoom();
  }
  holds = () => true;
  signers = (): readonly SignerView[] => [];
  tokens = () => [];
  setTokenDrained = () => false;
  unlatchToken = () => undefined;
  readySessions = () => 1;
  refreshKeys = async () => {};
  close = async () => {};
}

t.test('a job goes straight to a pool that has room', async (t) => {
  const { pool, scheduler } = bench(1);
  const job = jobOf(scheduler, 'a');
  scheduler.submit(job);
  t.same(pool.handed, [job]);
  t.equal(scheduler.queued, 0);
  t.equal(scheduler.unfinished, 1);
  job.finish(OK);
  t.equal(scheduler.unfinished, 0);
});

t.test('jobs wait in order and go on when there is room', async (t) => {
  const { pool, scheduler } = bench(1);
  const jobs = [1, 2, 3].map(() => jobOf(scheduler, 'a'));
  for (const job of jobs) scheduler.submit(job);
  t.equal(scheduler.queued, 2);
  pool.free();
  pool.free();
  t.same(pool.handed, jobs);
  for (const job of jobs) job.finish(OK);
});

t.test('a queue that is full refuses at once with resource_exhausted', async (t) => {
  const { scheduler } = bench(0, 2);
  const jobs = [1, 2, 3].map(() => jobOf(scheduler, 'a'));
  for (const job of jobs) scheduler.submit(job);
  t.match(outcomeOf(jobs[2]), { ok: false, error: { code: 'resource_exhausted' } });
  t.equal(scheduler.queued, 2);
  for (const job of jobs) job.finish(OK);
  t.equal(scheduler.queued, 0);
  t.equal(scheduler.unfinished, 0);
});

t.test('a job whose time will be over before its turn is refused at once', async (t) => {
  const { pool, scheduler } = bench(1);
  const first = jobOf(scheduler, 'a');
  scheduler.submit(first);
  first.finish({ ...OK, tokenUs: 500_000 });
  for (const _ of [1, 2, 3]) scheduler.submit(jobOf(scheduler, 'a', 10_000));
  const hurried = jobOf(scheduler, 'a', 1_000);
  scheduler.submit(hurried);
  t.match(outcomeOf(hurried), {
    ok: false,
    error: { code: 'resource_exhausted', message: /an answer would take 2750 ms/ },
  });
  for (const job of [...pool.handed]) job.finish(OK);
  pool.room = 10;
  pool.onRoom();
  for (const job of [...pool.handed]) job.finish(OK);
  t.equal(scheduler.unfinished, 0);
});

t.test('a full queue gives a place of the principal of whom most waits to one of whom less waits', async (t) => {
  const { scheduler } = bench(0, 4);
  const many = [1, 2, 3, 4].map(() => jobOf(scheduler, 'many'));
  for (const job of many) scheduler.submit(job);
  const few = [1, 2].map(() => jobOf(scheduler, 'few'));
  for (const job of few) scheduler.submit(job);
  t.same(
    few.map((job) => job.finished),
    [false, false],
  );
  t.same(
    many.map((job) => job.finished),
    [false, false, true, true],
    'those that came last',
  );
  t.match(outcomeOf(many[3]), { error: { code: 'resource_exhausted', message: /most of them yours/ } });
  t.equal(scheduler.queued, 4);
  const third = jobOf(scheduler, 'few');
  scheduler.submit(third);
  t.equal(third.finished, true, 'and no more than its share');
  for (const job of [...many, ...few]) job.finish(OK);
});

t.test('what one principal has waiting does not make the wait of another look longer than it is', async (t) => {
  const { pool, scheduler } = bench(1);
  const first = jobOf(scheduler, 'many');
  scheduler.submit(first);
  first.finish({ ...OK, tokenUs: 100_000 });
  for (let n = 0; n < 50; n++) scheduler.submit(jobOf(scheduler, 'many'));
  const [impatient, patient] = [jobOf(scheduler, 'many', 1_000), jobOf(scheduler, 'few', 1_000)];
  scheduler.submit(impatient);
  scheduler.submit(patient);
  t.match(outcomeOf(impatient), { error: { code: 'resource_exhausted' } });
  t.equal(patient.finished, false);
  pool.free();
  pool.free();
  t.ok(pool.handed.slice(1).includes(patient), 'it is one of the next two');
  for (const job of allJobs) job.finish(OK);
});

t.test('of a job that ends while it waits nothing stays in the queue', async (t) => {
  const { pool, scheduler } = bench(0);
  const stays = jobOf(scheduler, 'a');
  scheduler.submit(stays);
  for (let n = 0; n < 100; n++) {
    const job = jobOf(scheduler, 'a');
    scheduler.submit(job);
    job.finish(OK);
  }
  t.equal(scheduler.queued, 1);
  const last = jobOf(scheduler, 'a');
  scheduler.submit(last);
  pool.free();
  pool.free();
  t.same(pool.handed, [stays, last]);
  for (const job of [stays, last]) job.finish(OK);
});

t.test('a job whose time is over is not handed on, though nobody has noticed yet', async (t) => {
  const { pool, scheduler } = bench(0);
  const [late, next] = [jobOf(scheduler, 'a', 250), jobOf(scheduler, 'a')];
  scheduler.submit(late);
  scheduler.submit(next);
  while (performance.now() <= late.deadlineMs) {
    // The event loop is busy, as under load.
  }
  pool.free();
  t.match(outcomeOf(late), { error: { code: 'deadline_exceeded' } });
  t.same(pool.handed, [next]);
  next.finish(OK);
});

t.test('principals share the token by time, not by count', async (t) => {
  const { pool, scheduler } = bench(0);
  for (let n = 0; n < 40; n++) scheduler.submit(jobOf(scheduler, 'heavy', 60_000, 'rsa'));
  for (let n = 0; n < 40; n++) scheduler.submit(jobOf(scheduler, 'light', 60_000, 'ec'));
  const tookUs = { rsa: 10_000, ec: 1_000 };
  const spent: Record<string, number> = { heavy: 0, light: 0 };
  for (let n = 0; n < 30; n++) {
    pool.free();
    const job = pool.handed[n] as TestJob;
    const tokenUs = tookUs[job.costClass as 'rsa' | 'ec'];
    spent[job.principal] = (spent[job.principal] ?? 0) + tokenUs;
    job.finish({ ...OK, tokenUs });
  }
  const ratio = (spent.heavy ?? 0) / (spent.light ?? 1);
  t.ok(ratio > 0.4 && ratio < 2.5, `token time of both principals is alike: ${JSON.stringify(spent)}`);
  for (const job of allJobs) job.finish(OK);
});

t.test('a job whose deadline passes while it waits ends deadline_exceeded within 50 ms', async (t) => {
  const { scheduler } = bench(0);
  const job = jobOf(scheduler, 'a', 30);
  const ended = new Promise<number>((resolve) => {
    job.onFinish = () => resolve(performance.now() - job.deadlineMs);
  });
  scheduler.submit(job);
  // By a timer, not by the clock: whatever keeps this process from running keeps both, and the earlier one comes first all the same.
  const tooLate = delay(30 + 50, Number.NaN);
  const lateMs = await Promise.race([ended, tooLate]);
  t.match(outcomeOf(job), { ok: false, error: { code: 'deadline_exceeded', message: /waiting for a session/ } });
  t.ok(lateMs >= 0, `${lateMs} ms late`);
  t.equal(scheduler.queued, 0);
  scheduler.stop();
});

t.test('a job whose signer died goes to the head of the queue', async (t) => {
  const { pool, scheduler } = bench(1);
  const [first, second] = [jobOf(scheduler, 'a'), jobOf(scheduler, 'a')];
  scheduler.submit(first);
  scheduler.submit(second);
  pool.onReturn(first);
  t.equal(scheduler.queued, 2);
  pool.free();
  t.equal(pool.handed[1], first);
  first.finish(OK);
  second.finish(OK);
  t.equal(scheduler.queued, 0);
});

t.test('a slow home does not hold up another', async (t) => {
  const { pool, scheduler } = bench(0);
  const slow = jobOf(scheduler, 'a');
  slow.home = 'slow';
  pool.full = 'slow';
  scheduler.submit(slow);
  pool.room = 1;
  const quick = jobOf(scheduler, 'a');
  scheduler.submit(quick);
  t.same(pool.handed, [quick]);
  slow.finish(OK);
  quick.finish(OK);
});

t.test('idle resolves when the last job has ended, or when its time is over', async (t) => {
  const { scheduler } = bench(1);
  const job = jobOf(scheduler, 'a');
  scheduler.submit(job);
  await scheduler.idle(5);
  t.equal(scheduler.unfinished, 1);
  const idle = scheduler.idle(10_000);
  job.finish(OK);
  await idle;
  t.equal(scheduler.unfinished, 0);
});

t.test('jobs that have waited and ended do not grow old', async (t) => {
  const { pool, scheduler } = bench(0);
  const first = jobOf(scheduler, '0');
  scheduler.submit(first);
  const jobs: TestJob[] = [first];
  const grownMiB = oldSpaceGrowth((thing, n) => {
    const job = Object.assign(jobOf(scheduler, `${n % 3}`), { thing });
    allJobs.pop();
    scheduler.submit(job);
    jobs.push(job);
    if (jobs.length > 100) jobs.shift()?.finish(OK);
    if (n % 2 === 0) pool.free();
    pool.handed.length = 0;
  });
  for (const job of jobs) job.finish(OK);
  t.ok(grownMiB < 8, `${grownMiB.toFixed(1)} MiB`);
});

t.teardown(() => {
  for (const job of allJobs) job.finish(OK);
});

function bench(room: number, queueJobsMax = 1000) {
  const pool = new TestPool(room);
  return { pool, scheduler: new Scheduler(pool, queueJobsMax) };
}

interface TestJob extends SignJob {
  finished: boolean;
  home: string;
  outcome: Outcome | undefined;
  onFinish: () => void;
}

function jobOf(scheduler: Scheduler, principal: string, timeoutMs = 60_000, costClass = 'ec'): TestJob {
  const arrivedMs = performance.now();
  const job = {
    principal,
    home: 't',
    costClass,
    key: {} as PublicKey,
    algorithm: algorithmNamed('ed25519'),
    input: Buffer.alloc(1),
    inputIsDigest: false,
    arrivedMs,
    deadlineMs: arrivedMs + timeoutMs,
    watched: undefined,
    queued: undefined,
    unpaidUs: 0,
    attempts: 0,
    token: '',
    handedMs: 0,
    finished: false,
    outcome: undefined as Outcome | undefined,
    onFinish: () => {},
    finish(outcome: Outcome) {
      if (job.finished) return;
      job.finished = true;
      job.outcome = outcome;
      scheduler.ended(job, outcome.tokenUs);
      job.onFinish();
    },
  } as TestJob;
  allJobs.push(job);
  return job;
}

function outcomeOf(job: TestJob | undefined): Outcome | undefined {
  return job?.outcome;
}
