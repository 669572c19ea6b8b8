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

t.test('of short jobs a session has as many as a millisecond of work, of long ones two', async (t) => {
  for (const [tokenUs, many] of [
    [1, 32],
    [120, 8],
    [400, 2],
    [1_500, 2],
  ] as const) {
    const jobs = new JobsAtSigner(1);
    for (let i = 0; i < 200; i++) jobs.learn(tokenUs);
    for (let id = 1; jobs.hasRoom; id++) jobs.add(id, job(`${id}`));
    t.equal(jobs.size, many, `${tokenUs} us`);
  }
});

t.test('one signature that was delayed does not make short jobs long', async (t) => {
  const jobs = new JobsAtSigner(1);
  for (let i = 0; i < 200; i++) jobs.learn(120);
  jobs.learn(50_000);
  for (let id = 1; jobs.hasRoom; id++) jobs.add(id, job(`${id}`));
  t.equal(jobs.size, 7);
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
  t.match(jobs.takeAll(false), { suspects: [{ principal: 'second' }], bystanders: [] });
  t.equal(jobs.size, 0);
});

t.test('of what a signer leaves, only what it worked on can be why it ended', async (t) => {
  const jobs = new JobsAtSigner(2);
  for (const [at, name] of ['worked on', 'worked on', 'behind'].entries()) jobs.add(at, job(name));
  t.match(jobs.takeAll(false), {
    suspects: [{ principal: 'worked on' }, { principal: 'worked on' }],
    bystanders: [{ principal: 'behind' }],
  });
  jobs.add(1, job('worked on'));
  t.match(jobs.takeAll(true), { suspects: [], bystanders: [{ principal: 'worked on' }] });
});
