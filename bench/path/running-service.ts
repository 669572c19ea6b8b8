import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Catalogue } from '../../src/gen/signet/v1/keys.js';
import type { TestToken } from '../../test/fixtures/softhsm-token.js';

/** `signet serve` as it is built, with audit and grants on and everything else as it is by default. */
export interface BenchService {
  readonly folder: string;
  readonly socket: string;
  readonly pid: number;
  /** SHA-256 of a key's SubjectPublicKeyInfo in hexadecimal, by its label. */
  spkiOf(label: string): string;
  /** Ends it; resolves when it has. */
  end(): Promise<void>;
}

const MAIN = join(import.meta.dirname, '../../dist/main.js');

export async function startBenchService(token: TestToken, signers: number): Promise<BenchService> {
  const folder = mkdtempSync(join(tmpdir(), 'signet-bench-'));
  const config = join(folder, 'signet.json');
  writeFileSync(config, JSON.stringify(configuration(token, signers)));
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  await serving(child).catch((error) => {
    removeFolder();
    throw error;
  });
  return {
    folder,
    socket: join(folder, 'web.sock'),
    pid: child.pid as number,
    spkiOf(label) {
      const { keys } = Catalogue.decode(readFileSync(join(folder, 'catalogue.pb')));
      const key = keys.find((candidate) => candidate.label === label);
      if (!key) throw new Error(`the service serves no key ${label}`);
      return Buffer.from(key.spkiSha256).toString('hex');
    },
    async end() {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'close');
      removeFolder();
    },
  };
}

function configuration(token: TestToken, signers: number): object {
  return {
    version: 1,
    tokens: [token.tokenConfig({ signers })],
    sockets: [{ path: 'web.sock', role: 'web' }],
    admin: { path: 'admin.sock' },
    catalogue_file: 'catalogue.pb',
    state_dir: 'state',
    audit: { file: 'audit.log' },
    principals: [{ name: 'web', socket: { role: 'web', uid: process.getuid?.() } }],
    grants: [{ principal: 'web', keys: ['*'], uses: ['tls13-server'] }],
  };
}

/** Reads its log until it serves; what it logs afterwards is read and dropped, or it would block. */
async function serving(child: ChildProcess): Promise<void> {
  const lines = createInterface({ input: child.stderr as NonNullable<typeof child.stderr> });
  const log: string[] = [];
  await new Promise<void>((resolve, reject) => {
    child.once('close', () => reject(new Error(`signet serve ended:\n${log.join('\n')}`)));
    lines.on('line', (line) => {
      log.push(line);
      log.splice(0, log.length - LOG_LINES_KEPT);
      if (line.includes('"msg":"serving"')) resolve();
    });
  });
}

/** To show why a service did not start. */
const LOG_LINES_KEPT = 50;
