#!/usr/bin/env node
import { runCli } from './cli/run.js';

const { stdout, stderr, stdin, env } = process;
// Whoever reads may close early (`signet keys list | head -1`); that is no failure.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
// The exit code is set, not forced: what lies in the pipes is still written.
process.exitCode = await runCli(process.argv.slice(2), { stdout, stderr, stdin, env });
