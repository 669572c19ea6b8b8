/** The rules of docs/development.md that no linter has: sizes, names, the direction of imports. Exits 1 if one is broken. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { breaches } from './style/breaches.js';

process.chdir(process.argv[2] ?? join(import.meta.dirname, '..'));
const OURS = ['src', 'native', 'native-test', 'scripts', 'bench', 'test'].filter((folder) => existsSync(folder));

// Git knows what is ours and what was made; a file not yet added counts too.
const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', ...OURS], {
  encoding: 'utf8',
}).split('\0');

const found = files
  .filter((file) => file && existsSync(file))
  .flatMap((file) => breaches(file, readFileSync(file, 'utf8')));

for (const sentence of found) console.error(sentence);
if (found.length > 0) process.exitCode = 1;
else console.log(`style: ${files.length - 1} files, nothing to say`);
