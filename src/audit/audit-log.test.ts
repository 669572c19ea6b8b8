import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { until } from '../../test/fixtures/until.js';
import type { SignetError } from '../errors.js';
import type { AttemptRecord } from '../shared-state.js';
import { AuditLog, type AuditOptions } from './audit-log.js';
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
  token: 'main',
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

t.test('a torn last line stays, the next start goes on behind it, and the chain verifies', async (t) => {
  const { file, audit, again } = open(t);
  await attempt(audit);
  await audit.close();
  appendFileSync(file, '{"seq":3,"time":"20');
  t.match(await verifyAudit(file), { ok: true, lines: 2, torn: 1 });
  await again().close();
  appendFileSync(file, '{"seq":4,');
  const third = again();
  await attempt(third);
  await third.close();
  t.match(await verifyAudit(file), { ok: true, lines: 5, torn: 2 });
});

t.test('a torn line that no start and no loss explains is damage', async (t) => {
  const { file, audit } = open(t);
  await attempt(audit);
  await audit.close();
  const [start, line] = linesOf(file);
  writeFileSync(file, `${start}\n{"seq":\n${line}\n`);
  t.match(await verifyAudit(file), { ok: false, problem: /:3: the line before it is damaged/ });
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

t.test('a service that died between setting a file aside and its next line goes on with the chain', async (t) => {
  const { file, audit, again } = open(t);
  await attempt(audit);
  await audit.close();
  renameSync(file, `${file}.1`);
  const second = again();
  await second.close();
  t.match(await verifyAudit(file), { ok: true, lines: 3 });
});

t.test('a service that died when the file had both its names goes on, and it is read once', async (t) => {
  const { file, audit, again } = open(t, { rotateBytes: 1_500 });
  await attempt(audit);
  await audit.close();
  linkSync(file, `${file}.1`);
  const second = again();
  for (let n = 0; n < 6; n++) await attempt(second);
  await second.close();
  t.ok(linesOf(`${file}.1`).length > 0);
  t.match(await verifyAudit(file), { ok: true, lines: 9 });
});

t.test('a file that cannot be set aside is written further', async (t) => {
  const { file, audit } = open(t, { rotateBytes: 2_000 });
  mkdirSync(`${file}.new`);
  for (let n = 0; n < 20; n++) t.equal(await attempt(audit), undefined);
  t.throws(() => linesOf(`${file}.1`));
  rmdirSync(`${file}.new`);
  await attempt(audit);
  await attempt(audit);
  await audit.close();
  t.ok(linesOf(`${file}.1`).length >= 20);
  t.match(await verifyAudit(file), { ok: true, lines: 23 });
});

t.test('when the oldest files are gone, the rest still verifies', async (t) => {
  const { file, audit } = open(t, { rotateBytes: 2_000, keepFiles: 1 });
  for (let n = 0; n < 40; n++) await attempt(audit);
  await audit.close();
  const verdict = await verifyAudit(file);
  t.equal(verdict.problem, undefined);
  t.ok(verdict.lines < 41);
  t.equal(verdict.heads[0]?.seq, 41);
});

t.test('a service that takes over writes a chain of its own beside the first one, then has the file', async (t) => {
  const { file, audit, again } = open(t, { fsyncMs: 5, rotateBytes: 3_000 });
  await attempt(audit);
  const second = again();
  for (let n = 0; n < 10; n++) await Promise.all([attempt(audit), attempt(second)]);
  await audit.close();
  const verdict = await verifyAudit(file);
  t.match(verdict, { ok: true, lines: 23 });
  t.same(verdict.heads.map(({ seq }) => seq).sort(), [11, 12]);
  await until(async () => {
    await attempt(second);
    return linesOf(file).length < 5;
  });
  await second.close();
  t.match(await verifyAudit(file), { ok: true, problem: undefined });
  const third = again();
  await third.close();
  t.equal((await verifyAudit(file)).heads.length, 2, 'the next service goes on with the chain');
});

t.test('a published head names what the file must have, in any chain', async (t) => {
  const { file, audit } = open(t);
  await attempt(audit);
  await audit.close();
  const { seq, hash } = JSON.parse(linesOf(file).at(-1) as string);
  t.match(await verifyAudit(file, { seq, hash: hash.replace(/./, hash[0] === '0' ? '1' : '0') }), {
    ok: false,
    problem: /has another hash here/,
  });
});

t.test('of a write that the full disk broke off, whole lines count and their answers leave', async (t) => {
  const { file, audit, room } = open(t);
  await attempt(audit);
  const size = statSync(file).size / 2;
  // Room for the first of the next three lines, and a part of the second.
  room(size * 2);
  const failures = await Promise.all([1, 2, 3].map(() => attempt(audit)));
  t.same(
    failures.map((failure) => failure?.code),
    [undefined, 'unavailable', 'unavailable'],
  );
  t.equal(audit.lost, 2);
  room(Number.POSITIVE_INFINITY);
  t.equal(await attempt(audit), undefined);
  await audit.close();
  t.match(await verifyAudit(file), { ok: true, lines: 5, torn: 1 });
});

t.test('a loss that nobody came after is told at the end', async (t) => {
  const { file, audit, failWrites } = open(t, { onFailure: 'continue' });
  failWrites(true);
  await attempt(audit);
  failWrites(false);
  await audit.close();
  t.match(JSON.parse(linesOf(file).at(-1) as string), { type: 'lost', lines: 1 });
  t.match(await verifyAudit(file), { ok: true });
});

t.test('a label with any character stays one line', async (t) => {
  const { file, audit } = open(t);
  await new Promise((resolve) => audit.record({ ...ATTEMPT, label: 'a\u2028b\r\nc\u0085' }, resolve));
  await audit.close();
  t.match(await verifyAudit(file), { ok: true, lines: 2 });
});

t.test('a file that cannot be opened is told with what to do', async (t) => {
  t.throws(() => open(t, { file: '/nonexistent/audit.log' }), {
    code: 'invalid_argument',
    message: /ENOENT.*make its folder/,
  });
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
  let freeBytes = Number.POSITIVE_INFINITY;
  const again = () =>
    new AuditLog(all, log, 'test', (fd, bytes, offset) => {
      const length = Math.min(freeBytes, bytes.length - offset);
      if (length === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      freeBytes -= length;
      return writeSync(fd, bytes, offset, length);
    });
  const room = (bytes: number) => {
    freeBytes = Math.floor(bytes);
  };
  const failWrites = (fail: boolean) => room(fail ? 0 : Number.POSITIVE_INFINITY);
  return { file, audit: again(), again, failWrites, room };
}

function attempt(audit: AuditLog): Promise<SignetError | undefined> {
  return new Promise((resolve) => audit.record(ATTEMPT, resolve));
}

function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').filter(Boolean);
}
