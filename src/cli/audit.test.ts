import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { signet } from '../../test/fixtures/command-line.js';
import { until } from '../../test/fixtures/until.js';
import { AuditLog } from '../audit/audit-log.js';
import { followLines } from '../audit/follow-lines.js';
import { lastLines } from '../audit/last-lines.js';

const ATTEMPT = {
  principal: 'nginx',
  caller: 'web(uid=33,gid=33,pid=7)',
  key: 'ab'.repeat(32),
  use: 'tls13-server',
  scheme: 'ed25519',
  outcome: 'internal',
  token: 'main',
  queueUs: 1,
  tokenUs: 2,
  sha256: 'cd'.repeat(32),
  attempt: '',
} as const;

t.test('audit verify tells that the chain holds, and its head', async (t) => {
  const { file, write } = fileOf(t);
  await write(5);
  const run = await signet(['audit', 'verify', '--file', file]);
  t.match(run, { code: 0, stdout: /^6 lines, 0 torn: the chain holds\nhead 6:[0-9a-f]{64} of chain [0-9a-f]{32}\n$/ });
  const json = (await signet(['audit', 'verify', '--file', file, '--json'])).json();
  t.match(json, { file, ok: true, lines: 6, torn: 0, heads: [{ seq: 6 }] });
  const [head] = json.heads;
  t.match(await signet(['audit', 'verify', '--file', file, '--head', `${head.seq}:${head.hash}`]), { code: 0 });
});

t.test('audit verify fails with the place of the damage, and of a head that is not there', async (t) => {
  const { file, write } = fileOf(t);
  await write(5);
  const lines = readFileSync(file, 'utf8');
  writeFileSync(file, lines.replace('"outcome":"internal"', '"outcome":"ok"'));
  t.match(await signet(['audit', 'verify', '--file', file]), { code: 1, stdout: '', stderr: /audit\.log:2: the hash/ });
  writeFileSync(file, lines);
  const run = await signet(['audit', 'verify', '--file', file, '--head', `9:${'a'.repeat(64)}`, '--json']);
  t.equal(run.code, 1);
  t.match(run.json(), { error: { code: 'failed', message: /head 9 is not in the file/ } });
});

t.test('what audit verify cannot read is a usage error, a configuration without an audit file one of it', async (t) => {
  t.match(await signet(['audit', 'verify', '--file', '/nonexistent/audit.log']), { code: 2, stderr: /ENOENT/ });
  t.match(await signet(['audit', 'verify', '--file', 'x', '--head', '7']), { code: 2, stderr: /expected SEQ:HASH/ });
  t.match(await signet(['audit', 'tail', '--config', '/nonexistent/signet.yaml']), { code: 3 });
  t.match(await signet(['audit', 'tail', '--file', 'x', '-n', 'many']), { code: 2, stderr: /expected a number/ });
});

t.test('audit tail shows the last lines in short, or as they are, also from files set aside', async (t) => {
  const { file, write } = fileOf(t, 1_500);
  await write(12);
  const short = await signet(['audit', 'tail', '--file', file, '-n', '3']);
  t.equal(short.code, 0);
  t.match(short.stdout.split('\n'), { length: 4 });
  t.match(short.stdout, /^\S+Z internal nginx: label-9 tls13-server ed25519, queue 1 us, token 2 us\n/);
  const all = await signet(['audit', 'tail', '--file', file, '-n', '1000', '--json']);
  const seqs = all.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).seq);
  t.same(
    seqs,
    seqs.map((_, i) => i + 1),
  );
  t.equal(seqs.length, 13);
  t.match(await signet(['audit', 'tail', '--file', file, '-n', '0']), { code: 0, stdout: '' });
});

t.test('audit tail leaves out a torn line and what would steer a terminal', async (t) => {
  const { file, write } = fileOf(t);
  await write(1, '\u001b[31m');
  appendFileSync(file, '{"seq":');
  const { stdout } = await signet(['audit', 'tail', '--file', file]);
  t.equal(stdout.split('\n').length, 3);
  t.notMatch(stdout, '\u001b');
});

t.test('lines that come are followed, also through rotations, each once', async (t) => {
  const { file, write, audit } = fileOf(t, 1_500);
  await write(3);
  const { lines, end } = lastLines(file, 100);
  const stop = new AbortController();
  const following = followLines(file, end, (more) => lines.push(...more), stop.signal);
  for (let lineCount = 6; lineCount <= 12; lineCount += 2) {
    await write(2);
    await until(() => lines.length === lineCount);
  }
  stop.abort();
  await following;
  await audit.close();
  t.same(
    lines.map((line) => JSON.parse(line).seq),
    lines.map((_, i) => i + 1),
  );
});

/** An audit file with a start line; `write` adds attempts. */
function fileOf(t: Test, rotateBytes = 1e9) {
  const folder = mkdtempSync(join(tmpdir(), 'signet-audit-'));
  const file = join(folder, 'audit.log');
  const options = {
    file,
    onFailure: 'refuse',
    fsyncMs: 60_000,
    rotateBytes,
    keepFiles: 20,
    publishHeadMs: 60_000,
  } as const;
  const audit = new AuditLog(options, pino({ level: 'silent' }), '1.2.3');
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  let made = 0;
  const add = (label: string) =>
    new Promise<unknown>((resolve) => audit.record({ ...ATTEMPT, label: `${label}-${made++}` }, resolve));
  const write = async (count: number, label = 'label') => {
    for (let n = 0; n < count; n++) await add(label);
  };
  return { file, audit, write };
}
