import t from 'tap';
import type { SignJob } from '../sign-job.js';
import { JobsAtSigner } from './jobs-at-signer.js';

const job = (name: string) => ({ principal: name }) as SignJob;

t.test('a signer has room for two jobs for each of its sessions', async (t) => {
  for (const sessions of [1, 3]) {
    const jobs = new JobsAtSigner(sessions);
    for (let id = 1; jobs.hasRoom; id++) jobs.add(id, job(`${id}`));
    t.equal(jobs.size, 2 * sessions);
  }
});

t.test('a session that hangs is seen though the others go on', async (t) => {
  const jobs = new JobsAtSigner(2);
  jobs.add(1, job('hangs'));
  const begunMs = jobs.oldestBegunMs;
  for (let id = 2; id < 20; id++) {
    jobs.add(id, job('short'));
    jobs.add(id + 100, job('behind it'));
    t.equal(jobs.take(id)?.principal, 'short');
    t.equal(jobs.take(id + 100)?.principal, 'behind it');
    t.equal(jobs.oldestBegunMs, begunMs);
  }
  t.equal(jobs.take(1)?.principal, 'hangs');
  t.equal(jobs.oldestBegunMs, undefined);
});

t.test('the time of a job begins when a session is free for it, not when it was handed over', async (t) => {
  const jobs = new JobsAtSigner(1);
  jobs.add(1, job('first'));
  jobs.add(2, job('second'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  const nowMs = performance.now();
  jobs.take(1);
  t.ok((jobs.oldestBegunMs ?? 0) >= nowMs);
  t.equal(jobs.take(7), undefined);
  t.same(
    jobs.takeAll().map(({ principal }) => principal),
    ['second'],
  );
  t.equal(jobs.size, 0);
});
