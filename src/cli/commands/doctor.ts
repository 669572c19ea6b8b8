import type { Command } from 'commander';
import { type Answer, act, type Cli } from '../cli.js';
import { findNginx, type NginxProcess } from '../nginx-processes.js';

export function registerDoctor(program: Command, cli: Cli): void {
  const command = program
    .command('doctor')
    .description(
      'whether the NGINX that runs on this machine has Signet, and waits for signatures or goes on meanwhile',
    );
  act(command, cli, doctor);
}

async function doctor(): Promise<Answer> {
  const { processes, hidden } = findNginx();
  const nginx = processes.map((process) => ({ ...process, state: stateOf(process) }));
  return { data: { nginx, hidden }, text: pageOf(nginx, hidden) };
}

function stateOf({ title, provider, preload, atWork, paused }: NginxProcess): string {
  if (!provider) return 'has no Signet: the provider is not loaded (docs/provider.md)';
  if (!preload) return 'waits for each signature: the preload library is not loaded ("signet config nginx --async")';
  if (title.includes('master process')) return 'has the preload library, and so have its workers';
  if (!atWork) return 'has the preload library; no handshake has needed a signature yet';
  return `goes on while signatures are made${paused === undefined ? '' : `: ${paused} handshakes so far`}`;
}

function pageOf(nginx: readonly (NginxProcess & { state: string })[], hidden: number): string {
  const lines = nginx.map(({ pid, title, state }) => `pid ${pid} (${title}): ${state}`);
  if (hidden > 0) lines.push(`${hidden} more of other users: only root may look at them`);
  if (lines.length === 0) lines.push('no NGINX runs on this machine');
  return `${lines.join('\n')}\n`;
}
