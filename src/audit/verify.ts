import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Head, NO_HASH, openLine, sealOf } from './record.js';

export interface Verdict {
  readonly ok: boolean;
  readonly lines: number;
  /** Behind the last line that fits. */
  readonly head: Head | undefined;
  /** What does not fit, where: FILE:LINE: sentence. */
  readonly problem: string | undefined;
}

/**
 * Follows the chain through an audit file and those set aside before it (FILE.N to FILE.1, then FILE).
 * `expected` is a head that was published: the chain must hold a line of that number with that hash.
 */
export async function verifyAudit(file: string, expected?: { seq: number; hash: string }): Promise<Verdict> {
  const chain = new ChainReader(expected);
  for (const part of partsOf(file)) {
    let number = 0;
    const lines = createInterface({ input: createReadStream(part), crlfDelay: Number.POSITIVE_INFINITY });
    for await (const line of lines) {
      number++;
      const problem = chain.take(line);
      if (problem) return chain.verdict(`${part}:${number}: ${problem}`);
    }
  }
  return chain.verdict(chain.missing());
}

class ChainReader {
  #head: Head | undefined;
  #lines = 0;
  #seen: boolean;
  readonly #expected: { seq: number; hash: string } | undefined;

  constructor(expected: { seq: number; hash: string } | undefined) {
    this.#expected = expected;
    this.#seen = expected === undefined;
  }

  take(line: string): string | undefined {
    const opened = openLine(line);
    if (!opened) return 'expected a line of an audit file; it is damaged or torn';
    const before = this.#head ?? { chain: opened.chain, seq: opened.seq - 1, hash: previousOf(opened.seq) };
    if (opened.chain !== before.chain) return `expected chain ${before.chain}, found ${opened.chain}`;
    if (opened.seq !== before.seq + 1)
      return `expected line number ${before.seq + 1}, found ${opened.seq}: lines are missing`;
    // Of a first file whose predecessors were deleted, the hash before its first line is not known: that line is taken as it is.
    const known = before.hash !== '';
    if (known && sealOf(before.hash, opened.body) !== opened.hash)
      return 'the hash does not fit: this line or one before it was changed';
    this.#head = { chain: opened.chain, seq: opened.seq, hash: opened.hash };
    this.#lines++;
    return this.#compare();
  }

  missing(): string | undefined {
    return this.#seen ? undefined : `the published head ${this.#expected?.seq} is not in the file: its end was cut off`;
  }

  verdict(problem: string | undefined): Verdict {
    return { ok: problem === undefined, lines: this.#lines, head: this.#head, problem };
  }

  #compare(): string | undefined {
    if (this.#head?.seq !== this.#expected?.seq) return undefined;
    this.#seen = true;
    return this.#head?.hash === this.#expected?.hash
      ? undefined
      : 'the published head has another hash: the chain was recomputed';
  }
}

function previousOf(seq: number): string {
  return seq === 1 ? NO_HASH : '';
}

function partsOf(file: string): string[] {
  const aside: string[] = [];
  for (let n = 1; existsSync(`${file}.${n}`); n++) aside.unshift(`${file}.${n}`);
  return [...aside, file];
}
