/** The results of the run, as TAP on stdout. */
let count = 0;
let failed = 0;

export function report(name: string, error?: unknown, note = ''): void {
  count += 1;
  if (error !== undefined) failed += 1;
  console.log(`${error === undefined ? 'ok' : 'not ok'} ${count} - ${name}`);
  const text = error === undefined ? note : error instanceof Error ? error.message : String(error);
  for (const line of text.split('\n').filter(Boolean)) console.log(`# ${line}`);
}

/** One test; what it resolves to is a note. */
export async function it(name: string, work: () => Promise<string | undefined>): Promise<void> {
  try {
    report(name, undefined, await work());
  } catch (error) {
    report(name, error);
  }
}

export function anyFailed(): boolean {
  return failed > 0;
}

export function end(): void {
  console.log(`1..${count}`);
  process.exitCode = failed > 0 ? 1 : 0;
}
