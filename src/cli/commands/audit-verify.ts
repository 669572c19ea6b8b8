import type { Command } from 'commander';
import type { PublishedHead, Verdict } from '../../audit/verify.js';
import { auditFileOf, readingAudit } from '../audit-file.js';
import { act, type Cli, type GlobalOptions } from '../cli.js';
import { CliError } from '../cli-error.js';

interface Options extends GlobalOptions {
  readonly file?: string;
  readonly head?: string;
}

export function registerAuditVerify(audit: Command, cli: Cli): void {
  const command = audit
    .command('verify')
    .description('follow the chain of hashes through the audit file and those set aside before it')
    .option('--file <file>', 'audit file (default: audit.file of the configuration)')
    .option('--head <seq:hash>', 'a head that the service published in its log: it must be in the file');
  act<Options>(command, cli, (options) => verify(options, cli));
}

async function verify(options: Options, cli: Cli) {
  const published = options.head === undefined ? undefined : headOf(options.head);
  const file = await auditFileOf(options, cli);
  const { verifyAudit } = await import('../../audit/verify.js');
  const verdict = await readingAudit(() => verifyAudit(file, published));
  if (verdict.problem !== undefined) throw new CliError('failed', verdict.problem);
  return { data: { file, ...verdict, problem: undefined }, text: pageOf(verdict) };
}

function headOf(text: string): PublishedHead {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq !== undefined && hash !== undefined) return { seq: Number(seq), hash };
  throw new CliError(
    'usage',
    `--head: expected SEQ:HASH, a number and 64 lowercase hexadecimal digits, as in the log of the service; "${text}" came`,
  );
}

function pageOf({ lines, torn, heads }: Verdict): string {
  const last = heads.map(({ seq, hash, chain }) => `head ${seq}:${hash} of chain ${chain}\n`);
  return `${lines} lines, ${torn} torn: the chain holds\n${last.join('')}`;
}
