import { CommanderError } from 'commander';
import { type Cli, EndsWith } from './cli.js';
import { CliError } from './cli-error.js';
import { EXIT_CODES } from './exit-codes.js';
import { createProgram } from './program.js';

/** Runs one command line (without node and script) and gives its exit code; throws nothing. */
export async function runCli(args: readonly string[], cli: Cli): Promise<number> {
  try {
    await createProgram(cli).parseAsync(args, { from: 'user' });
    return EXIT_CODES.ok.code;
  } catch (thrown) {
    // --help and --version leave this way as well.
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return EXIT_CODES.ok.code;
    if (thrown instanceof EndsWith) return EXIT_CODES[thrown.word].code;
    return reportError(thrown, args, cli);
  }
}

function reportError(thrown: unknown, args: readonly string[], cli: Cli): number {
  const error = CliError.from(thrown);
  // Commander has said its own already, with a suggestion.
  if (!(thrown instanceof CommanderError))
    for (const line of error.message.split('\n')) cli.stderr.write(`signet: ${line}\n`);
  if (error.word === 'failed' && cli.env.SIGNET_DEBUG) cli.stderr.write(`${(thrown as Error)?.stack}\n`);
  if (args.includes('--json')) {
    const { word: code, message, problems } = error;
    cli.stdout.write(`${JSON.stringify({ error: { code, message, problems } })}\n`);
  }
  return EXIT_CODES[error.word].code;
}
