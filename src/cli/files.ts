import { readFileSync, writeFileSync } from 'node:fs';
import { type Answer, type Cli, talk } from './cli.js';
import { CliError } from './cli-error.js';

/** Reads an input file, or stdin for `-` and where none is named. At most `bytesMax` bytes. */
export async function readInput(file: string | undefined, cli: Cli, bytesMax: number): Promise<Buffer> {
  const content = file === undefined || file === '-' ? await readStdin(cli, bytesMax) : readFile(file);
  if (content.length <= bytesMax) return content;
  throw new CliError(
    'usage',
    `expected at most ${bytesMax} bytes in ${file ?? 'stdin'}; ${content.length} or more came`,
  );
}

export function readFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CliError('usage', `${file} cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

/** Gives the text to stdout or, with `--out`, to that file; `data` goes to stdout with `--json` either way. */
export function deliver(content: string | Uint8Array, data: object, out: string | undefined, cli: Cli): Answer {
  if (out === undefined) return { data, text: content };
  try {
    writeFileSync(out, content);
  } catch (cause) {
    throw new CliError('usage', `${out} cannot be written: ${reasonOf(cause)}`, { cause });
  }
  talk(cli, `written to ${out}`);
  return { data: { ...data, out }, text: '' };
}

async function readStdin(cli: Cli, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of cli.stdin) {
    chunks.push(Buffer.from(chunk as Uint8Array));
    length += chunk.length;
    if (length > bytesMax) break;
  }
  return Buffer.concat(chunks);
}

function reasonOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? String(cause);
}
