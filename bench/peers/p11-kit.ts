import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestToken } from '../../test/fixtures/softhsm-token.js';

/** p11-kit's remoting: `p11-kit server` before a token, and the module with which a program reaches it. */
export interface P11KitServer {
  readonly module: string;
  /** What a program that loads the module needs in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  end(): Promise<void>;
}

/** Where distributions put the client's module. */
const MODULES = [
  '/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so',
  '/usr/lib/aarch64-linux-gnu/pkcs11/p11-kit-client.so',
  '/usr/lib64/pkcs11/p11-kit-client.so',
  '/usr/lib/pkcs11/p11-kit-client.so',
];
/** How long the server may take to listen, in milliseconds. */
const PATIENCE_MS = 10_000;

/** Throws when p11-kit is not installed (Debian: p11-kit, p11-kit-modules). */
export async function startP11Kit(token: TestToken): Promise<P11KitServer> {
  const module = MODULES.find((file) => existsSync(file));
  if (!module) throw new Error('p11-kit-client.so is not installed (apt-get install p11-kit p11-kit-modules)');
  const socket = join(token.folder, 'p11-kit.sock');
  const uri = `pkcs11:token=${token.label}`;
  const child = spawn('p11-kit', ['server', '--foreground', '--name', socket, '--provider', token.module, uri], {
    env: { ...process.env, ...token.tokenConfig().environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await listening(child, socket);
  return {
    module,
    environment: { P11_KIT_SERVER_ADDRESS: `unix:path=${socket}` },
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'close');
    },
  };
}

async function listening(child: ChildProcess, socket: string): Promise<void> {
  let said = '';
  child.stderr?.on('data', (data) => {
    said += data;
  });
  const deadline = performance.now() + PATIENCE_MS;
  while (!existsSync(socket)) {
    if (child.exitCode !== null) throw new Error(`p11-kit server ended with ${child.exitCode}: ${said.trim()}`);
    if (performance.now() > deadline) throw new Error(`p11-kit server does not listen on ${socket}: ${said.trim()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
