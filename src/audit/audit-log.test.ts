import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import type { SignetError } from '../errors.js';
import { AuditLog, type AuditOptions } from './audit-log.js';
import type { AttemptRecord } from './record.js';
import { verifyAudit } from './verify.js';

const log = pino({ level: 'silent' });
const ATTEMPT: AttemptRecord = {
  principal: 'nginx',
  caller: 'web(uid=33,gid=33,pid=7)',
  key: 'ab'.repeat(32),
  label: 'a "quoted" label\n',
  use: 'tls13-server',
  scheme: 'ed25519',
  outcome: 'ok',
  queueUs: 12,
  tokenUs: 345,
  sha256: 'cd'.repeat(32),
  attempt: '',
};

t.test('every attempt is one line, written before its answer leaves, and the chain verifies', async (t) => {
  const { file, audit } = open(t);
  const answers = [1, 2, 3].map(
    () => new Promise<string>((resolve) => audit.record(ATTEMPT, () => resolve(readFileSync(file, 'utf8')))),
  );
  t.equal(linesOf(file).length, 1, 'nothing is written before the turn is over');
  for (const text of await Promise.all(answers)) t.equal(text.split('\n').length - 1, 4);
  t.match(JSON.parse(linesOf(file)[1] as string), { seq: 2, label: ATTEMPT.label, queue_us: 12, token_us: 345 });
  await audit.close();
  t.match(await verifyAudit(file), { ok: true, lines: 4 });
});

t.test('the chain goes on across a restart, and a start record tells of it', async (t) => {
  const { file, audit, again } = open(t);
  await attempt(audit);
  await audit.close();
  const second = again();
  await attempt(second);
  await second.close();
  t.match(await verifyAudit(file), { ok: true, lines: 4 });
  t.equal(linesOf(file).filter((line) => line.includes('"type":"start"')).length, 2);
});

t.test('a torn last line is cut off at the next start', async (t) => {
  const { file, audit, again } = open(t);
  await attempt(audit);
  await audit.close();
  appendFileSync(file, '{"seq":3,"time":"20');
  await again().close();
  t.match(await verifyAudit(file), { ok: true, lines: 3 });
});

t.test('a changed line, a missing line and a cut end are found', async (t) => {
  const { file, audit } = open(t);
  for (let n = 0; n < 5; n++) await attempt(audit);
  await audit.close();
  const lines = linesOf(file);
  const head = JSON.parse(lines.at(-1) as string);
  writeFileSync(
    file,
    `${lines.map((line, n) => (n === 2 ? line.replace('"queue_us":12', '"queue_us":13') : line)).join('\n')}\n`,
  );
  t.match(await verifyAudit(file), { ok: false, problem: /:3: the hash does not fit/ });
  writeFileSync(file, `${lines.filter((_, n) => n !== 2).join('\n')}\n`);
  t.match(await verifyAudit(file), { ok: false, problem: /:3: expected line number 3, found 4/ });
  writeFileSync(file, `${lines.slice(0, 4).join('\n')}\n`);
  t.match(await verifyAudit(file, head), { ok: false, problem: /its end was cut off/ });
  writeFileSync(file, `${lines.join('\n')}\n`);
  t.match(await verifyAudit(file, head), { ok: true });
});

t.test('files are set aside by size, the newest are kept, and the chain runs through them', async (t) => {
  const { file, audit } = open(t, { rotateBytes: 2_000, keepFiles: 2 });
  for (let n = 0; n < 40; n++) await attempt(audit);
  await audit.close();
  t.ok(linesOf(`${file}.1`).length > 0);
  t.ok(linesOf(`${file}.2`).length > 0);
  t.throws(() => linesOf(`${file}.3`));
  t.match(await verifyAudit(file), { ok: true });
});

t.test('when the disk is full, attempts are refused or counted, and a line tells of the loss later', async (t) => {
  for (const onFailure of ['refuse', 'continue'] as const) {
    const { file, audit, failWrites } = open(t, { onFailure });
    await attempt(audit);
    failWrites(true);
    const failure = await attempt(audit);
    await attempt(audit);
    t.equal(failure?.code, onFailure === 'refuse' ? 'unavailable' : undefined);
    t.equal(audit.lost, 2);
    failWrites(false);
    t.equal(await attempt(audit), undefined);
    await audit.close();
    t.match(await verifyAudit(file), { ok: true, lines: 4 });
    t.match(JSON.parse(linesOf(file)[2] as string), { type: 'lost', lines: 2 });
  }
});

t.test('a file that is no audit file is not continued', async (t) => {
  const { file, audit, again } = open(t);
  await audit.close();
  truncateSync(file);
  appendFileSync(file, 'hello\n');
  t.throws(again, { code: 'invalid_argument', message: /not one of its lines/ });
});

function open(t: { teardown(end: () => void): void }, options: Partial<AuditOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'signet-audit-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'audit.log');
  const all = {
    file,
    onFailure: 'refuse' as const,
    fsyncMs: 1000,
    rotateBytes: 1e9,
    keepFiles: 3,
    publishHeadMs: 60_000,
    ...options,
  };
  let full = false;
  const again = () =>
    new AuditLog(all, log, 'test', (fd, bytes, offset) => {
      if (full) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      return writeSync(fd, bytes, offset);
    });
  const failWrites = (fail: boolean) => {
    full = fail;
  };
  return { file, audit: again(), again, failWrites };
}

function attempt(audit: AuditLog): Promise<SignetError | undefined> {
  return new Promise((resolve) => audit.record(ATTEMPT, resolve));
}

function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').filter(Boolean);
}
