import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { changesBetween, RELOADABLE } from './changes.js';
import { loadConfig } from './load.js';
import { OPTIONS } from './options.js';
import type { Config } from './schema.js';
import { optionName } from './shape-problems.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/signet.yaml', import.meta.url));
const before = loadConfig(EXAMPLE);

function changed(change: (config: Config) => void) {
  const after = structuredClone(before);
  change(after);
  return changesBetween(before, after).map(({ path, reloadable }) => [optionName(path), reloadable]);
}

t.test('what changed is named by the option, and whether it takes effect at once', async (t) => {
  t.same(
    changed(() => {}),
    [],
  );
  t.same(
    changed((config) => {
      config.grants.pop();
      config.limits.sign_timeout_ms = 7;
      config.limits.queue_jobs_max = 7;
    }),
    [
      ['grants', true],
      ['limits.sign_timeout_ms', true],
      ['limits.queue_jobs_max', false],
    ],
  );
  t.same(
    changed((config) => Object.assign(config.grpc.tcp[0] ?? {}, { key_file: '/x', port: 1 })),
    [
      ['grpc.tcp[0].port', false],
      ['grpc.tcp[0].key_file', true],
    ],
  );
});

t.test('what is added or taken away is told by what is around it', async (t) => {
  t.same(
    changed((config) => void config.sockets.pop()),
    [['sockets', false]],
  );
  t.same(
    changed((config) => void delete config.audit),
    [['audit', false]],
  );
});

t.test('the page on the configuration lists what takes effect at once, and no more', async (t) => {
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  const from = page.indexOf('\n## Reload\n');
  const section = page.slice(from, page.indexOf('\n## ', from + 1));
  const listed = [...section.matchAll(/^- (.+)$/gm)].flatMap(([, line = '']) => line.match(/`[a-z0-9_.[\]]+`/g) ?? []);
  t.same(listed.sort(), RELOADABLE.map((option) => `\`${option.replace('.[]', '[]')}\``).sort());
});

t.test('each of them is an option', async (t) => {
  const names = OPTIONS.map(({ path }) => path.join('.'));
  for (const option of RELOADABLE)
    t.ok(
      names.some((name) => name === option || name.startsWith(`${option}.`)),
      option,
    );
});
