import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Suite } from './suites.js';
import { type Shown, type Tally, TapTally } from './tap-tally.js';

/** A suite that is told to end gets this long before it is killed, as does what it left behind, in milliseconds. */
const END_MS = 5_000;
const MARK: Readonly<Record<Shown['kind'], string>> = {
  passed: 'ok',
  failed: 'FAILED',
  skipped: 'skipped',
  detail: '',
};

/** Runs a suite, prints what it does, and counts. Never throws for a suite that fails. */
export async function runSuite(suite: Suite, environment: NodeJS.ProcessEnv): Promise<Tally> {
  const started = performance.now();
  const tally = await (suite.counts === 'tap' ? runTap(suite, environment) : runOne(suite, environment));
  if (suite.counts === 'tap') {
    console.log(`     ${tally.passed} passed, ${tally.failed} failed in ${seconds(started)}\n`);
  }
  return tally;
}

async function runTap(suite: Suite, environment: NodeJS.ProcessEnv): Promise<Tally> {
  console.log(`${suite.name}`);
  let file = '';
  const counter = new TapTally(({ kind, text }) => {
    if (kind === 'detail') console.log(`         ${text}`);
    else console.log(`  ${MARK[kind].padEnd(7)} ${file && file !== text ? `${file}: ` : ''}${text}`);
  });
  const running = start(suite, environment);
  const end = ended(running, suite);
  running.stderr?.pipe(process.stderr, { end: false });
  for await (const line of createInterface({ input: running.stdout as NodeJS.ReadableStream })) {
    file = /^# Subtest: (.*)$/.exec(line)?.[1] ?? file;
    counter.line(line);
  }
  const failure = await end;
  const { tally } = counter;
  if (failure && tally.failed === 0) {
    tally.failed += 1;
    console.log(`  FAILED  ${suite.name}: ${failure}`);
  } else if (tally.passed + tally.failed + tally.skipped === 0) {
    // Not TAP after all: the exit code speaks for the whole.
    tally.passed += 1;
    console.log(`  ok      ${suite.name}`);
  }
  return tally;
}

async function runOne(suite: Suite, environment: NodeJS.ProcessEnv): Promise<Tally> {
  const started = performance.now();
  const output: Buffer[] = [];
  const running = start(suite, environment);
  running.stdout?.on('data', (chunk: Buffer) => output.push(chunk));
  running.stderr?.on('data', (chunk: Buffer) => output.push(chunk));
  const failure = await ended(running, suite);
  console.log(`${failure ? 'FAILED' : 'ok'} ${suite.name} (${seconds(started)})`);
  if (!failure) return { passed: 1, failed: 0, skipped: 0 };
  process.stdout.write(Buffer.concat(output));
  console.log(`^ ${suite.command.join(' ')}: ${failure}\n`);
  return { passed: 0, failed: 1, skipped: 0 };
}

/** In a process group of its own, so that whatever it started ends with it. */
function start(suite: Suite, environment: NodeJS.ProcessEnv): ChildProcess {
  const [command = '', ...args] = suite.command;
  return spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...environment, ...suite.environment },
  });
}

/** Resolves to why the suite failed, or undefined. */
async function ended(running: ChildProcess, suite: Suite): Promise<string | undefined> {
  let isLate = false;
  const late = setTimeout(() => {
    isLate = true;
    endGroup(running, 'SIGTERM');
  }, suite.limitS * 1000);
  const tooLate = setTimeout(() => endGroup(running, 'SIGKILL'), suite.limitS * 1000 + END_MS);
  const stop = (signal: NodeJS.Signals): void => endGroup(running, signal);
  process.once('SIGINT', stop).once('SIGTERM', stop);
  // Its streams are closed when nobody has them any more: a process that it left behind would be waited for.
  let leftBehind: NodeJS.Timeout | undefined;
  running.once('exit', () => {
    leftBehind = setTimeout(() => endGroup(running, 'SIGKILL'), END_MS);
  });
  const outcome = await new Promise<string | undefined>((resolve) => {
    running.once('error', (error) => resolve(error.message));
    running.once('close', (code, signal) =>
      resolve(code === 0 ? undefined : `ended with ${signal ?? `status ${code}`}`),
    );
  });
  clearTimeout(late);
  clearTimeout(tooLate);
  clearTimeout(leftBehind);
  process.off('SIGINT', stop).off('SIGTERM', stop);
  return isLate ? `still running after ${suite.limitS} s` : outcome;
}

function endGroup(running: ChildProcess, signal: NodeJS.Signals): void {
  if (running.pid === undefined) return;
  try {
    process.kill(-running.pid, signal);
  } catch {
    // It ended by itself meanwhile.
  }
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
