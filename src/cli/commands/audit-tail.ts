import { type Command, InvalidArgumentError } from 'commander';
import { auditFileOf, readingAudit } from '../audit-file.js';
import { lineForPeople } from '../audit-line.js';
import { act, type Cli, type GlobalOptions } from '../cli.js';

interface Options extends GlobalOptions {
  readonly file?: string;
  readonly lines: number;
  readonly follow?: boolean;
}

const LINES_DEFAULT = 10;
const LINES_MAX = 1_000_000;

export function registerAuditTail(audit: Command, cli: Cli): void {
  const command = audit
    .command('tail')
    .description('show the last lines of the audit file; with --json as they stand there')
    .option('--file <file>', 'audit file (default: audit.file of the configuration)')
    .option('-n, --lines <number>', 'how many lines', lineCount, LINES_DEFAULT)
    .option('--follow', 'then those that come, until SIGINT or SIGTERM');
  act<Options>(command, cli, (options) => tail(options, cli));
}

async function tail(options: Options, cli: Cli): Promise<undefined> {
  const file = await auditFileOf(options, cli);
  const { lastLines } = await import('../../audit/last-lines.js');
  const { followLines } = await import('../../audit/follow-lines.js');
  const show = (lines: readonly string[]) => {
    for (const line of lines) cli.stdout.write(`${options.json === true ? line : lineForPeople(line)}\n`);
  };
  const { lines, end } = await readingAudit(() => lastLines(file, options.lines));
  show(lines);
  if (options.follow !== true) return;
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    await readingAudit(() => followLines(file, end, show, stop.signal));
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function lineCount(text: string): number {
  const count = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (count <= LINES_MAX) return count;
  throw new InvalidArgumentError(`expected a number from 0 to ${LINES_MAX}`);
}
