import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { KeyKind } from '../../src/token-admin/key-kinds.js';
import { newTokenConfig } from '../fixtures/token-config.js';
import { until } from '../fixtures/until.js';
import type { ContractToken } from './contract-token.js';

const LABEL = 'tpm';
/** For how many signers the resource manager has room; tpm2-pkcs11 makes a connection for each of its slots, and one is always empty. */
const SIGNERS_MAX = 3;
const CONNECTIONS_OF_SIGNER = 2;
const READY_MS_MAX = 20_000;

/**
 * A TPM 2.0 in software (swtpm) behind its resource manager (tpm2-abrmd, which shares it between processes, on a bus of its own) and
 * tpm2-pkcs11. The database of tpm2-pkcs11 lies in the folder.
 */
export async function tpm(): Promise<ContractToken> {
  const folder = mkdtempSync(join(tmpdir(), 'signet-tpm-'));
  const children: ChildProcess[] = [];
  const remove = async () => {
    for (const child of children.reverse()) await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const port = await startTpm(folder, children);
    const bus = await startResourceManager(port, children);
    return await initialised(folder, bus, remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

async function initialised(folder: string, bus: string, remove: () => Promise<void>): Promise<ContractToken> {
  const [store, pinFile, pin] = [join(folder, 'store'), join(folder, 'pin'), 'tpm-test-pin'];
  mkdirSync(store);
  writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 });
  const environment = {
    TPM2_PKCS11_STORE: store,
    TPM2_PKCS11_TCTI: 'tabrmd:bus_type=session',
    // Else it looks for another kind of store too, by one more connection.
    TPM2_PKCS11_BACKEND: 'esysdb',
    DBUS_SESSION_BUS_ADDRESS: bus,
    TSS2_LOG: 'all+NONE',
    TPM2_PKCS11_LOG_LEVEL: '0',
  };
  const module = modulePath();
  const tool = (...args: string[]) =>
    execFileSync('pkcs11-tool', ['--module', module, ...args], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  tool('--init-token', '--slot-index', '0', '--label', LABEL, '--so-pin', pin);
  tool('--init-pin', '--slot-index', '0', '--so-pin', pin, '--pin', pin);
  const login = ['--token-label', LABEL, '--login', '--pin', pin];
  let id = 0;
  return {
    name: 'TPM 2.0',
    folder,
    config: newTokenConfig({ name: 'tpm', module, environment, token_label: LABEL, pin_file: pinFile }),
    // Its templates are not those of other tokens.
    generate: async (kind, label) =>
      void tool(...login, '--keypairgen', '--key-type', KEY_TYPES[kind] ?? kind, '--label', label, '--id', `0${++id}`),
    lacks: { p521: 'keys are made, with points that are not DER, and then do not sign' },
    signersMax: SIGNERS_MAX,
    remove,
  };
}

/** As pkcs11-tool calls them. */
const KEY_TYPES: Partial<Record<KeyKind, string>> = {
  p256: 'EC:prime256v1',
  p384: 'EC:secp384r1',
  p521: 'EC:secp521r1',
  rsa2048: 'rsa:2048',
};

/** Gives the port of its commands; that of its control is the next one. */
async function startTpm(folder: string, children: ChildProcess[]): Promise<number> {
  const state = join(folder, 'state');
  mkdirSync(state);
  const port = await freePair();
  const place = (of: number) => `type=tcp,port=${of},bindaddr=127.0.0.1`;
  const args = ['socket', '--tpm2', '--tpmstate', `dir=${state}`, '--flags', 'not-need-init,startup-clear'];
  children.push(
    spawn('swtpm', [...args, '--server', place(port), '--ctrl', place(port + 1)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    }),
  );
  return port;
}

/** Gives the address of its bus. */
async function startResourceManager(port: number, children: ChildProcess[]): Promise<string> {
  const limits = ['--max-connections', String(SIGNERS_MAX * CONNECTIONS_OF_SIGNER)];
  const manager = ['tpm2-abrmd', '--session', '--allow-root', '--flush-all', '--tcti', `swtpm:port=${port}`, ...limits];
  const script = 'echo "$DBUS_SESSION_BUS_ADDRESS"; exec "$@"';
  const child = spawn('dbus-run-session', ['--', 'sh', '-c', script, 'sh', ...manager], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // A group of its own, so that all of it can be ended.
    detached: true,
  });
  children.push(child);
  const [bus] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  await until(() => isOnBus(bus), READY_MS_MAX);
  return bus;
}

function isOnBus(bus: string): boolean {
  const question = ['--dest=org.freedesktop.DBus', '/', 'org.freedesktop.DBus.NameHasOwner'];
  const answer = execFileSync(
    'dbus-send',
    ['--session', '--print-reply=literal', ...question, 'string:com.intel.tss2.Tabrmd'],
    { env: { ...process.env, DBUS_SESSION_BUS_ADDRESS: bus }, encoding: 'utf8' },
  );
  return answer.includes('true');
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const end = once(child, 'exit');
  const isGroup = child.spawnfile === 'dbus-run-session';
  process.kill(isGroup ? -child.pid : child.pid, 'SIGKILL');
  await end;
}

/** Two ports in a row that nobody uses at the moment. */
async function freePair(): Promise<number> {
  for (;;) {
    const first = createServer().listen(0, '127.0.0.1');
    await once(first, 'listening');
    const { port } = first.address() as { port: number };
    const second = createServer().listen(port + 1, '127.0.0.1');
    const isFree = await once(second, 'listening').then(
      () => true,
      () => false,
    );
    first.close();
    second.close();
    if (isFree) return port;
  }
}

/** Where distributions put it; SIGNET_TEST_TPM2_PKCS11 names another place. */
function modulePath(): string {
  const places = [
    process.env.SIGNET_TEST_TPM2_PKCS11 ?? '',
    '/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so',
    '/usr/lib/aarch64-linux-gnu/pkcs11/libtpm2_pkcs11.so',
    '/usr/lib/x86_64-linux-gnu/libtpm2_pkcs11.so.1',
    '/usr/lib64/pkcs11/libtpm2_pkcs11.so',
  ];
  const found = places.find((place) => place !== '' && existsSync(place));
  if (!found) throw new Error('tpm2-pkcs11 is not installed (apt-get install libtpm2-pkcs11-1)');
  return found;
}
