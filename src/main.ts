#!/usr/bin/env node
import { runCli } from './cli/run.js';

const { stdout, stderr, stdin, env } = process;
// The exit code is set, not forced: what lies in the pipes is still written.
process.exitCode = await runCli(process.argv.slice(2), { stdout, stderr, stdin, env });
