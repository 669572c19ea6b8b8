import t from 'tap';
import { oldSpaceGrowth } from '../../test/fixtures/old-space.js';
import type { SignJob } from '../sign-job.js';
import { JobsAtSigner } from './jobs-at-signer.js';

const job = (name: string) => ({ principal: name }) as SignJob;

t.test('a signer has room for two jobs for each of its sessions', async (t) => {
  for (const sessions of [1, 3]) {
    const jobs = new JobsAtSigner(sessions);
    while (jobs.hasRoom) jobs.add(job('any'));
    t.equal(jobs.size, 2 * sessions);
  }
});

t.test('of short jobs a session has as many as a millisecond of work, of long ones two', async (t) => {
  for (const [tokenUs, many] of [
    [1, 32],
    [120, 8],
    [400, 2],
    [1_500, 2],
  ] as const) {
    const jobs = new JobsAtSigner(1);
    for (let i = 0; i < 200; i++) jobs.learn(tokenUs);
    while (jobs.hasRoom) jobs.add(job('any'));
    t.equal(jobs.size, many, `${tokenUs} us`);
  }
});

t.test('one signature that was delayed does not make short jobs long', async (t) => {
  const jobs = new JobsAtSigner(1);
  for (let i = 0; i < 200; i++) jobs.learn(120);
  jobs.learn(50_000);
  while (jobs.hasRoom) jobs.add(job('any'));
  t.equal(jobs.size, 7);
});

t.test('a session that hangs is seen though the others go on', async (t) => {
  const jobs = new JobsAtSigner(2);
  const hangs = jobs.add(job('hangs'));
  const begunMs = jobs.oldestBegunMs;
  for (let n = 0; n < 20; n++) {
    const [short, behind] = [jobs.add(job('short')), jobs.add(job('behind it'))];
    t.equal(jobs.take(short)?.principal, 'short');
    t.equal(jobs.take(behind)?.principal, 'behind it');
    t.equal(jobs.oldestBegunMs, begunMs);
  }
  t.equal(jobs.take(hangs)?.principal, 'hangs');
  t.equal(jobs.oldestBegunMs, undefined);
});

t.test('the time of a job begins when a session is free for it, not when it was handed over', async (t) => {
  const jobs = new JobsAtSigner(1);
  const first = jobs.add(job('first'));
  const second = jobs.add(job('second'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  const nowMs = performance.now();
  jobs.take(first);
  t.ok((jobs.oldestBegunMs ?? 0) >= nowMs);
  t.equal(jobs.take(first), undefined);
  t.equal(jobs.size, 1);
  t.equal(jobs.take(second)?.principal, 'second');
  t.equal(jobs.size, 0);
});

t.test('one that was answered before it was begun is behind no more', async (t) => {
  const jobs = new JobsAtSigner(1);
  const [first, expired, last] = ['first', 'expired', 'last'].map((name) => jobs.add(job(name))) as [
    number,
    number,
    number,
  ];
  t.equal(jobs.take(expired)?.principal, 'expired');
  jobs.take(first);
  t.match(jobs.leave(false), { suspects: [{ principal: 'last' }], bystanders: [] });
  t.equal(jobs.take(last)?.principal, 'last');
});

t.test('of what a signer leaves, only what it worked on can be why it ended', async (t) => {
  const jobs = new JobsAtSigner(2);
  for (const name of ['worked on', 'worked on too', 'behind']) jobs.add(job(name));
  t.match(jobs.leave(false), {
    suspects: [{ principal: 'worked on' }, { principal: 'worked on too' }],
    bystanders: [{ principal: 'behind' }],
  });
  t.match(jobs.leave(true), {
    suspects: [],
    bystanders: [{ principal: 'worked on' }, { principal: 'worked on too' }, { principal: 'behind' }],
  });
});

t.test('no job that was answered is kept', async (t) => {
  const jobs = new JobsAtSigner(4);
  const ids: number[] = [];
  const grownMiB = oldSpaceGrowth((thing, n) => {
    if (n >= 100) jobs.take(ids[n % 100] as number);
    ids[n % 100] = jobs.add(thing as SignJob);
  });
  t.ok(grownMiB < 4, `${grownMiB.toFixed(1)} MiB`);
});
