import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const PROJECT = fileURLToPath(new URL('..', import.meta.url));

t.test('the command gives its exit code to the shell, data to stdout and talk to stderr', async (t) => {
  const args = ['--import=tsx', MAIN, 'check', '/nonexistent/signet.yaml', '--json'];
  const run = spawnSync(process.execPath, args, { cwd: PROJECT, encoding: 'utf8' });
  t.equal(run.status, 3);
  t.equal(JSON.parse(run.stdout).error.code, 'configuration');
  t.match(run.stderr, /^signet: .*signet\.yaml/);
});
