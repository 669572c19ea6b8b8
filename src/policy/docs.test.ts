import { readFileSync } from 'node:fs';
import t from 'tap';
import { USES } from '../sign-job.js';
import { TLS12_GROUPS } from '../tls-groups.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

t.test('the page on TLS-bound signing has a row for every use and names every group, and no other', async (t) => {
  const page = read('docs/tls-bound-signing.md');
  const rows = [...page.matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map(([, use]) => use);
  t.same(rows, USES);
  for (const group of TLS12_GROUPS) t.match(page, `\`${group}\``);
});

t.test('the configuration page and the example name every use', async (t) => {
  for (const use of USES) {
    t.match(read('docs/configuration.md'), `\`${use}\``);
    t.match(read('examples/signet.yaml'), use);
  }
  for (const group of TLS12_GROUPS) t.match(read('examples/signet.yaml'), group);
});
