import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Catalogue } from '../../src/gen/signet/v1/keys.js';
import { TestAuthority } from '../../test/fixtures/certificates.js';
import type { TestToken } from '../../test/fixtures/softhsm-token.js';

/** `signet serve` as it is built, with audit and grants on and everything else as it is by default. */
export interface Service {
  readonly folder: string;
  readonly socket: string;
  readonly doors: GrpcDoors;
  readonly pid: number;
  /** SHA-256 of the SubjectPublicKeyInfo of every key that it serves, in hexadecimal. */
  readonly keys: readonly string[];
  /** Ends it; resolves when it has. */
  end(): Promise<void>;
}

/** How gRPC reaches it: addresses as grpc-js takes them, and the files of a client for the one with mutual TLS. */
export interface GrpcDoors {
  readonly unix: string;
  readonly mtls: string;
  readonly files: { readonly caFile: string; readonly certificateFile: string; readonly keyFile: string };
}

const MAIN = join(import.meta.dirname, '../../dist/main.js');

/** Resolves when all its signers are ready. */
export async function startService(token: TestToken, tokenOptions: { signers: number }): Promise<Service> {
  const folder = mkdtempSync(join(tmpdir(), 'signet-bench-'));
  let child: ChildProcess | undefined;
  const end = async () => {
    if (child?.kill('SIGTERM')) await once(child, 'close');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const files = await certificates(folder);
    const config = join(folder, 'signet.json');
    writeFileSync(config, JSON.stringify(configuration(token.tokenConfig(tokenOptions), files.server)));
    child = spawn(process.execPath, [MAIN, 'serve', '--config', config], { stdio: ['ignore', 'ignore', 'pipe'] });
    const addresses = await started(child, tokenOptions.signers);
    const mtls = addresses.find((address) => address.startsWith('127.0.0.1:')) ?? '';
    return {
      folder,
      socket: join(folder, 'web.sock'),
      doors: { unix: `unix:${join(folder, 'grpc.sock')}`, mtls, files: { caFile: files.caFile, ...files.client } },
      pid: child.pid as number,
      keys: await catalogued(join(folder, 'catalogue.pb')),
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

async function certificates(folder: string) {
  const authority = await TestAuthority.create(folder, 'ca');
  const server = await authority.issue('server', 'CN=localhost', [{ type: 'ip', value: '127.0.0.1' }]);
  const client = await authority.issue('client', 'CN=bench', []);
  return { caFile: authority.caFile, server: { ...server, client_ca_file: authority.caFile }, client };
}

function configuration(token: object, server: { certificateFile: string; keyFile: string; client_ca_file: string }) {
  const { certificateFile, keyFile, client_ca_file } = server;
  const peer = { role: 'web', uid: process.getuid?.() };
  return {
    version: 1,
    tokens: [token],
    sockets: [{ path: 'web.sock', role: 'web' }],
    grpc: {
      unix: [{ path: 'grpc.sock', role: 'web' }],
      tcp: [{ host: '127.0.0.1', port: 0, certificate_file: certificateFile, key_file: keyFile, client_ca_file }],
    },
    admin: { path: 'admin.sock' },
    catalogue_file: 'catalogue.pb',
    state_dir: 'state',
    audit: { file: 'audit.log' },
    principals: [
      { name: 'web', socket: peer },
      { name: 'remote', certificate: 'CN:bench' },
    ],
    grants: ['web', 'remote'].map((principal) => ({ principal, keys: ['*'], uses: ['tls13-server'] })),
  };
}

/**
 * Reads its log until it serves and has so many signers; gives where it listens. What it logs afterwards is read and dropped, or
 * it would block.
 */
function started(child: ChildProcess, signers: number): Promise<string[]> {
  const lines = createInterface({ input: child.stderr as NonNullable<typeof child.stderr> });
  const log: string[] = [];
  let addresses: string[] | undefined;
  let ready = 0;
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`${ready} signers of ${signers} were ready after ${START_MS} ms`));
    setTimeout(late, START_MS).unref();
    child.once('close', () => reject(new Error(`signet serve ended:\n${log.join('\n')}`)));
    lines.on('line', (line) => {
      log.push(line);
      log.splice(0, log.length - LOG_LINES_KEPT);
      if (line.includes('"msg":"serving"')) addresses = JSON.parse(line).addresses;
      if (line.includes('"msg":"signer is ready"')) ready += 1;
      if (addresses && ready >= signers) resolve(addresses);
    });
  });
}

/** To show why a service did not start. */
const LOG_LINES_KEPT = 20;

/** How long a service with thousands of keys may take to start, in milliseconds. */
const START_MS = 90_000;

/** How long the keys may take, in milliseconds, when the signers are ready: thousands of them take seconds. */
const KEYS_MS = 10_000;

async function catalogued(file: string): Promise<string[]> {
  for (const deadline = performance.now() + KEYS_MS; !existsSync(file) && performance.now() < deadline; )
    await new Promise((resolve) => setTimeout(resolve, 50));
  const { keys } = Catalogue.decode(readFileSync(file));
  return keys.map(({ spkiSha256 }) => Buffer.from(spkiSha256).toString('hex'));
}
