import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import t from 'tap';
import { signet } from '../../test/fixtures/command-line.js';
import { EXIT_CODES } from './exit-codes.js';
import { createProgram } from './program.js';

const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
const nowhere = { stdout: { write() {} }, stderr: { write() {} }, stdin: (async function* () {})(), env: {} };
const commands = leavesOf(createProgram(nowhere), 'signet');

t.test('docs/cli.md has a section for every command and for no other', async (t) => {
  const headings = [...page.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);
  t.same([...headings].sort(), [...commands.keys()].sort());
});

t.test('each section has the options of its command and no others', async (t) => {
  for (const [usage, command] of commands) {
    const known = command.options.map((option) => option.long).sort();
    const told = new Set(optionLines(sectionOf(usage)).match(/--[a-z-]+/g) ?? []);
    t.same([...told].sort(), known, usage);
  }
});

t.test('the table of exit codes is the one in the code', async (t) => {
  const rows = [...page.matchAll(/^\| (\d+) \| (\w+) \| (.+) \|$/gm)].map(([, code, word, meaning]) => ({
    code,
    word,
    meaning,
  }));
  const known = Object.entries(EXIT_CODES).map(([word, { code, meaning }]) => ({ code: String(code), word, meaning }));
  t.same(rows, known);
});

t.test('an unknown command or option is a usage error with a suggestion', async (t) => {
  t.match(await signet(['kesy']), { code: 2, stderr: /Did you mean keys\?/ });
  t.match(await signet(['keys', 'lst']), { code: 2, stderr: /Did you mean list\?/ });
  t.match(await signet(['keys', 'list', '--servce']), { code: 2, stderr: /Did you mean --service\?/ });
  const run = await signet(['keys', 'generate', '--type', 'p224', '--label', 'x', '--json']);
  t.equal(run.code, 2);
  t.match(run.json().error, { code: 'usage', message: /p256, p384/ });
});

t.test('help and version are data and no error', async (t) => {
  t.match(await signet(['--version']), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/, stderr: '' });
  t.match(await signet(['certs', 'issue', '--help']), { code: 0, stdout: /--ca <key>[\s\S]*--json/ });
  t.match(await signet([]), { code: 2, stderr: /Usage: signet/ });
});

t.test('a configuration that is missing or wrong is exit 3 with every fault', async (t) => {
  const missing = await signet(['keys', 'list', '--config', '/nonexistent/signet.yaml', '--json']);
  t.equal(missing.code, 3);
  t.match(missing.json().error, { code: 'configuration' });
});

function leavesOf(command: Command, path: string): Map<string, Command> {
  const leaves = new Map<string, Command>();
  for (const child of command.commands) {
    const at = `${path} ${child.name()}`;
    const more = child.commands.length > 0 ? leavesOf(child, at) : [];
    for (const [usage, leaf] of more) leaves.set(usage, leaf);
    const args = child.registeredArguments.map((argument) => ` [${argument.name()}]`).join('');
    if (child.commands.length === 0) leaves.set(at + args, child);
  }
  return leaves;
}

function sectionOf(usage: string): string {
  const from = page.indexOf(`### ${usage}\n`);
  const to = page.indexOf('\n#', from + 1);
  return page.slice(from, to < 0 ? undefined : to);
}

/** What stands before the colon of a list line: options, not mentions of them. */
function optionLines(section: string): string {
  const lines = [...section.matchAll(/^- (.+)$/gm)].map(([, line]) => line ?? '');
  return lines.map((line) => line.split('`: ')[0]).join('\n');
}
