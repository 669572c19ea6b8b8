import fs, { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { AppendFile } from './append-file.js';
import { lastLines } from './last-lines.js';

const LINE = Buffer.from('a line\n');
const OF_THE_OTHER = Buffer.from('of the other\n');

t.test('at every moment of a rotation the file is there', async (t) => {
  for (const keepFiles of [0, 1, 3]) {
    const missing: string[] = [];
    const { file, begin } = open(t, (moment) => {
      if (!existsSync(file)) missing.push(moment);
    });
    const audit = begin(keepFiles, 1);
    for (let n = 0; n < 5; n++) audit.append(LINE);
    await audit.close();
    t.same(missing, [], `${keepFiles} files are kept`);
    t.equal(statSync(file).size, 0, 'it was set aside');
    for (let n = 1; n <= 4; n++) t.equal(existsSync(`${file}.${n}`), n <= keepFiles, `FILE.${n}`);
  }
});

t.test('a service that begins at any moment of a rotation follows, and no line is lost', async (t) => {
  let moments = 1;
  for (let at = 1; at <= moments; at++) {
    let passed = 0;
    let other: AppendFile | undefined;
    const { file, begin } = open(t, (moment) => {
      if (++passed !== at) return;
      other = begin(3, 1e9);
      t.equal(other.mine, false, moment);
      other.append(OF_THE_OTHER);
    });
    const audit = begin(3, 1);
    audit.append(LINE);
    moments = passed;
    await other?.close();
    await audit.close();
    t.same(['', '.1', '.2'].flatMap((end) => linesOf(`${file}${end}`)).sort(), ['a line', 'of the other']);
  }
  t.ok(moments >= 4, `${moments} moments`);
});

t.test('who reads at any moment of a rotation misses no part, and reads none twice', async (t) => {
  let written = 0;
  let moments = 0;
  const wrong: string[] = [];
  const { file, begin } = open(t, (moment) => {
    moments++;
    const { lines } = lastLines(file, 100);
    if (lines.length !== written) wrong.push(`${moment}: ${lines.length} of ${written}`);
  });
  const audit = begin(9, 1);
  while (written < 5) {
    written++;
    audit.append(LINE);
  }
  await audit.close();
  t.same(wrong, []);
  t.ok(moments > 20, `${moments} moments`);
});

t.test('a file system that knows no links, and one that renames nothing more', async (t) => {
  const fails = new Set<string>();
  const { file, begin } = open(t, (moment) => {
    if (fails.has(moment)) throw Object.assign(new Error('operation not permitted'), { code: 'EPERM' });
  });
  const audit = begin(2, 1);
  fails.add('before link audit.log audit.log.1.new');
  audit.append(LINE);
  t.same([linesOf(file), linesOf(`${file}.1`)], [[], ['a line']], 'it is set aside all the same');
  fails.add('before rename audit.log.new audit.log');
  for (const without of ['before link audit.log audit.log.1.new', undefined]) {
    audit.append(OF_THE_OTHER);
    t.equal(linesOf(file).at(-1), 'of the other', 'it is written further');
    t.notOk(existsSync(`${file}.1`));
    if (without) fails.delete(without);
  }
  await audit.close();
});

/** A folder for an audit file; `look` is called with each call that changes a name, before it and after it. */
function open(t: Test, look: (moment: string) => void) {
  const folder = mkdtempSync(join(tmpdir(), 'signet-append-'));
  const file = join(folder, 'audit.log');
  const { renameSync, linkSync, unlinkSync } = fs;
  const watched = (name: string, call: (...paths: any[]) => void) => {
    return (...paths: unknown[]) => {
      const said = `${name} ${paths.join(' ').replaceAll(`${folder}/`, '')}`;
      look(`before ${said}`);
      call(...paths);
      look(`after ${said}`);
    };
  };
  const useInstead = (calls: Partial<typeof fs>) => {
    Object.assign(fs, calls);
    syncBuiltinESMExports();
  };
  useInstead({
    renameSync: watched('rename', renameSync),
    linkSync: watched('link', linkSync),
    unlinkSync: watched('unlink', unlinkSync),
  });
  t.teardown(() => {
    useInstead({ renameSync, linkSync, unlinkSync });
    rmSync(folder, { recursive: true });
  });
  const log = pino({ level: 'silent' });
  const begin = (keepFiles: number, rotateBytes: number) => new AppendFile({ file, rotateBytes, keepFiles }, log);
  return { file, begin };
}

function linesOf(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
}
