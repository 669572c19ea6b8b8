/** What a suite counted. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** A line worth showing: a test that ended, or a line of the explanation of a failure. */
export type Shown = { readonly kind: 'passed' | 'failed' | 'skipped' | 'detail'; readonly text: string };

const SUBTEST_INDENT = 4;

/**
 * Counts the tests in a TAP stream (testanything.org, version 14), line by line. In the output of `tap` a test is what stands
 * directly in a file (indented once); a file counts itself only if it failed and no test in it did. In flat TAP, as cmocka
 * writes it, every line that is not indented is a test.
 */
export class TapTally {
  readonly tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  readonly #show: (shown: Shown) => void;
  /** Lines since the last result: they explain it if it is a failure. */
  #before: string[] = [];
  #inFile = { tests: 0, failed: 0 };
  #afterFailure = false;

  constructor(show: (shown: Shown) => void) {
    this.#show = show;
  }

  line(line: string): void {
    const result = /^( *)(not )?ok \d+(?: -)? ?(.*)$/.exec(line);
    const indent = result?.[1]?.length ?? 0;
    if (!result || indent > SUBTEST_INDENT) {
      this.#remember(line);
      return;
    }
    const { name, skipped } = parseDescription(result[3] ?? '');
    // cmocka says "not ok" of a test that was skipped.
    const failed = result[2] !== undefined && !skipped;
    if (indent === SUBTEST_INDENT) this.#inTest(name, failed, skipped);
    else this.#inRoot(name, failed, skipped);
  }

  #remember(line: string): void {
    if (this.#afterFailure && /^#|^ +(---|\.\.\.)|^ {2,}/.test(line)) this.#show({ kind: 'detail', text: line });
    this.#before.push(line);
  }

  #inTest(name: string, failed: boolean, skipped: boolean): void {
    this.#inFile.tests += 1;
    if (failed) this.#inFile.failed += 1;
    this.#count(name, failed, skipped);
  }

  #inRoot(name: string, failed: boolean, skipped: boolean): void {
    const { tests, failed: failedTests } = this.#inFile;
    this.#inFile = { tests: 0, failed: 0 };
    if (tests === 0 || (failed && failedTests === 0)) this.#count(name, failed, skipped);
    else this.#afterFailure = false;
    this.#before = [];
  }

  #count(name: string, failed: boolean, skipped: boolean): void {
    const kind = failed ? 'failed' : skipped ? 'skipped' : 'passed';
    this.tally[kind] += 1;
    this.#show({ kind, text: name });
    if (failed) for (const text of this.#before) this.#show({ kind: 'detail', text });
    this.#before = [];
    this.#afterFailure = failed;
  }
}

/** A test has its name before its directive; cmocka writes that of a skipped one behind it. */
function parseDescription(description: string): { name: string; skipped: boolean } {
  const [name = '', ...directives] = description.split(/(?:^| )# /);
  const skip = directives.find((directive) => /^skip/i.test(directive));
  return { name: (name || (skip ?? '').replace(/^skip\S*/i, '')).trim(), skipped: skip !== undefined };
}
