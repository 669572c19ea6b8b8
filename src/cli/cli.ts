import type { Command } from 'commander';
import type { ExitWord } from './exit-codes.js';

/** What a command sees of the world: stdout is data, stderr is talk. */
export interface Cli {
  readonly stdout: { write(data: string | Uint8Array): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Options that every command has. */
export interface GlobalOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** What a command found out: `text` without `--json`, `data` with it. */
export interface Answer {
  readonly data: unknown;
  readonly text: string | Uint8Array;
  /** How the command ends all the same; `ok` if nothing is said. */
  readonly exit?: ExitWord;
}

/** Thrown when all has been said. */
export class EndsWith extends Error {
  readonly word: ExitWord;

  constructor(word: ExitWord) {
    super(word);
    this.word = word;
  }
}

export type Work<Options> = (options: Options & GlobalOptions, cli: Cli) => Promise<Answer | undefined>;

/** Makes `work` what the command does. */
export function act<Options>(command: Command, cli: Cli, work: Work<Options>): void {
  command.action(async () => {
    const options = command.optsWithGlobals<Options & GlobalOptions>();
    const answer = await work(options, cli);
    if (answer === undefined) return;
    cli.stdout.write(options.json === true ? `${JSON.stringify(answer.data)}\n` : answer.text);
    if (answer.exit !== undefined && answer.exit !== 'ok') throw new EndsWith(answer.exit);
  });
}

/** One line to whoever sits there. */
export function talk(cli: Cli, line: string): void {
  cli.stderr.write(`${line}\n`);
}
