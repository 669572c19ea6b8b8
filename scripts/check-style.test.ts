import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { breaches } from './style/breaches.js';

t.test('a project passes until a rule is broken', async (t) => {
  const project = t.testdir({ src: { 'clock.ts': '', pool: { 'offer.ts': "import { now } from '../clock.js';\n" } } });
  spawnSync('git', ['init', '-q', project]);
  t.equal(check(project).status, 0);
  writeFileSync(join(project, 'src/clock.ts'), "import { offer } from './pool/offer.js';\n");
  const { status, stderr } = check(project);
  t.equal(status, 1);
  t.match(stderr, /^src\/clock\.ts:1 imports pool\/offer\.ts/);
});

t.test('each broken rule is found, with file and line', async (t) => {
  const cases: [file: string, text: string, expected: RegExp][] = [
    ['src/pool/a.ts', "\nimport { b } from '../policy/b.js';\n", /src\/pool\/a\.ts:2 imports policy\/b\.ts/],
    ['src/clock.ts', "import type { A } from './pool/a.js';\n", /the shared vocabulary knows no station/],
    ['src/clock.ts', "import {\n  a,\n} from './pool/a.js';\n", /src\/clock\.ts:1 imports pool\/a\.ts/],
    ['src/keys/a.ts', "export { b } from '../transport/b.js';\n", /transport comes before keys/],
    ['src/keys/a.ts', "const b = await import('../transport/b.js');\n", /transport comes before keys/],
    ['src/signer/a.ts', "import { b } from '../pool/supervisor.js';\n", /shares only pool\/messages\.ts/],
    ['src/pool/a.ts', "import { b } from '../signer/main.js';\n", /by its messages only/],
    ['src/transport/a.ts', "import { b } from '../cli/b.js';\n", /service\.ts hands it over/],
    ['src/audit/a.ts', "import { b } from '../pool/b.js';\n", /src\/audit may import the shared vocabulary/],
    ['src/novel/a.ts', "import { b } from '../pool/b.js';\n", /src\/novel is unknown/],
    ['src/pool/utils.ts', '', /named "utils"/],
    ['src/common/a.ts', '', /named "common"/],
    ['native/helpers.c', '', /named "helpers"/],
    ['src/pool/pool-manager.ts', '', /named "pool-manager"/],
    ['src/pool/a.ts', 'export class SignerManager {}\n', /class SignerManager/],
    ['src/pool/a.ts', 'a();\n'.repeat(401), /has 401 lines; the limit is 400/],
    ['src/pool/a.ts', functionOf(71), /a\.ts:1 begins a function of 71 lines/],
    [
      'src/pool/a.ts',
      `class A {\n  b(c: string): void {\n${'    d();\n'.repeat(69)}  }\n}\n`,
      /a\.ts:2 begins a function/,
    ],
    ['native/a.c', 'int a;\n'.repeat(701), /the limit is 700/],
    ['native/a.c', `int a(void) {\n${'    b();\n'.repeat(79)}}\n`, /native\/a\.c:1 begins a function of 81 lines/],
  ];
  for (const [file, text, expected] of cases) {
    t.match(breaches(file, text).join('\n'), expected);
  }
});

t.test('what is allowed is not found', async (t) => {
  const cases: [file: string, text: string][] = [
    ['src/transport/a.ts', "import { b } from '../pool/b.js';\n"],
    ['src/signer/a.ts', "import { b } from '../pool/messages.js';\nimport { c } from '../errors.js';\n"],
    ['src/service.ts', "import { b } from './transport/b.js';\nimport { c } from './pool/c.js';\n"],
    ['src/pool/a.test.ts', "import { b } from '../policy/b.js';\n"],
    ['src/pool/a.ts', functionOf(70)],
    ['src/pool/a.ts', `// style: long because it is one table\n${functionOf(200)}`],
    ['src/pool/a.ts', `const table = {\n${'  a: 1,\n'.repeat(100)}};\n`],
    ['native/a.c', `int a(void) {\n    if (b ||\n        c) {\n    }\n}\n${'int a;\n'.repeat(100)}        }\n`],
    ['native/a.c', `/* style: long because it is one table */\n${'int a;\n'.repeat(800)}`],
  ];
  for (const [file, text] of cases) {
    t.same(breaches(file, text), [], file);
  }
});

function functionOf(lines: number): string {
  return `export function a(): void {\n${'  b();\n'.repeat(lines - 2)}}\n`;
}

function check(project: string) {
  const args = ['--import=tsx', join(import.meta.dirname, 'check-style.ts'), project];
  return spawnSync(process.execPath, args, { encoding: 'utf8', cwd: join(import.meta.dirname, '..') });
}
