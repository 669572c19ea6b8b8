import { linesOf, openParts } from './parts.js';
import { type Head, NO_HASH, type OpenedLine, openLine, sealOf } from './record.js';

export interface Verdict {
  readonly ok: boolean;
  readonly lines: number;
  /** Parts of lines that a service left that died or had no room on the disk. */
  readonly torn: number;
  /** Where each chain ends, the one whose line came last at the end. A service that takes over from another one begins a chain. */
  readonly heads: readonly Head[];
  /** What does not fit, where: FILE:LINE: sentence. */
  readonly problem: string | undefined;
}

/** A head that was published: the file must hold a line of that number with that hash. */
export interface PublishedHead {
  readonly seq: number;
  readonly hash: string;
}

/** Follows the chains through an audit file and those set aside before it. Throws if a file cannot be read. */
export async function verifyAudit(file: string, published?: PublishedHead): Promise<Verdict> {
  const reader = new ChainReader(published);
  let problem: string | undefined;
  for (const part of openParts(file)) {
    let number = 0;
    for await (const lines of linesOf(part)) {
      for (const line of lines) {
        number++;
        const found = problem === undefined ? reader.take(line) : undefined;
        if (found) problem = `${part.file}:${number}: ${found}`;
      }
    }
    reader.endPart();
  }
  return reader.verdict(problem ?? reader.whatIsMissing());
}

class ChainReader {
  readonly #heads = new Map<string, Head>();
  readonly #published: PublishedHead | undefined;
  #lines = 0;
  #torn = 0;
  /** Parts of lines that the next line must explain. */
  #unexplained = 0;
  /** Whether older files were deleted: then a chain may begin in its middle, in the oldest file that there is. */
  #beginningGone = false;
  #oldestPart = true;
  #sawNumber = false;
  #sawHead = false;

  constructor(published: PublishedHead | undefined) {
    this.#published = published;
  }

  take(line: string): string | undefined {
    // Two services may have ended the same torn line, each with a line feed of its own.
    if (line === '') return undefined;
    const opened = openLine(line);
    if (!opened) {
      this.#unexplained++;
      return undefined;
    }
    if (this.#lines === 0) this.#beginningGone = opened.seq > 1;
    const problem = this.#whyTorn(opened) ?? this.#whyNotNext(opened);
    if (problem) return problem;
    // Deleted and set again, so that the last one is the one whose line came last.
    this.#heads.delete(opened.chain);
    this.#heads.set(opened.chain, { chain: opened.chain, seq: opened.seq, hash: opened.hash });
    this.#lines++;
    this.#compare(opened);
    return undefined;
  }

  endPart(): void {
    this.#oldestPart = false;
  }

  whatIsMissing(): string | undefined {
    // At the very end may stand what is being written, or what a full disk left. It is as if it were cut off: only a head tells.
    this.#torn += this.#unexplained;
    if (!this.#published || this.#sawHead) return undefined;
    return this.#sawNumber
      ? `the published head ${this.#published.seq} has another hash here: the chain was recomputed`
      : `the published head ${this.#published.seq} is not in the file: its end was cut off`;
  }

  verdict(problem: string | undefined): Verdict {
    return {
      ok: problem === undefined,
      lines: this.#lines,
      torn: this.#torn,
      heads: [...this.#heads.values()],
      problem,
    };
  }

  /** Whoever leaves a part of a line goes on with a `lost` line, or dies, and the next service begins with a `start` line. */
  #whyTorn(opened: OpenedLine): string | undefined {
    if (this.#unexplained > 0 && opened.type === undefined) return 'the line before it is damaged';
    this.#torn += this.#unexplained;
    this.#unexplained = 0;
    return undefined;
  }

  #whyNotNext({ chain, seq, type, body, hash }: OpenedLine): string | undefined {
    const before = this.#heads.get(chain);
    if (!before && seq > 1) {
      // The hash before its first line is not known: that line is taken as it is.
      return this.#beginningGone && this.#oldestPart
        ? undefined
        : `expected the beginning of chain ${chain}, found ${seq}`;
    }
    if (!before && type === undefined) return `expected a start line at the beginning of chain ${chain}`;
    const expected = (before?.seq ?? 0) + 1;
    if (seq !== expected) return `expected line number ${expected}, found ${seq}: lines are missing`;
    return sealOf(before?.hash ?? NO_HASH, body) === hash
      ? undefined
      : 'the hash does not fit: this line or one before it was changed';
  }

  #compare({ seq, hash }: OpenedLine): void {
    if (seq !== this.#published?.seq) return;
    this.#sawNumber = true;
    this.#sawHead ||= hash === this.#published.hash;
  }
}
