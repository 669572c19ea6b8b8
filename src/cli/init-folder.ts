import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CliError } from './cli-error.js';
import { configText } from './init-config.js';

export interface InitOptions {
  readonly folder: string;
  /** CKA_LABEL of the token. */
  readonly tokenLabel: string;
  /** The SoftHSM module; undefined: where distributions put it. */
  readonly module?: string;
}

/** Absolute paths of what `initFolder` made. */
export interface InitFolder {
  readonly config: string;
  readonly pin_file: string;
  readonly so_pin_file: string;
  readonly softhsm_conf: string;
  readonly module: string;
}

/**
 * Makes token, PINs and configuration. Throws CliError exists if one of them is there: it overwrites nothing. What it made before another
 * failure is gone again.
 */
export async function initFolder(options: InitOptions): Promise<InitFolder> {
  const made = plan(options);
  try {
    await fill(resolve(options.folder), made, options.tokenLabel);
    return made;
  } catch (thrown) {
    const { module: _, ...files } = made;
    for (const file of [...Object.values(files), join(resolve(options.folder), 'tokens')]) {
      rmSync(file, { recursive: true, force: true });
    }
    throw thrown;
  }
}

async function fill(folder: string, made: InitFolder, tokenLabel: string): Promise<void> {
  // Open to look into: the sockets have modes of their own, and the catalogue is public.
  for (const name of ['', 'run']) mkdirSync(join(folder, name), { recursive: true, mode: 0o755 });
  for (const name of ['tokens', 'state']) mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
  writeNew(made.softhsm_conf, softHsmConf(join(folder, 'tokens')), 0o644);
  await makeToken(made, tokenLabel);
  writeNew(made.config, configText({ ...made, tokenLabel, uid: process.getuid?.() ?? 0 }), 0o644);
}

function plan(options: InitOptions): InitFolder {
  const at = (name: string) => join(resolve(options.folder), name);
  const made = {
    config: at('signet.yaml'),
    pin_file: at('pin'),
    so_pin_file: at('so-pin'),
    softhsm_conf: at('softhsm2.conf'),
    module: options.module === undefined ? softHsmModule() : resolve(options.module),
  };
  const { module, ...files } = made;
  if (!existsSync(module)) throw new CliError('usage', `--module: there is no file ${module}`);
  if (Buffer.byteLength(at(LONGEST_SOCKET)) > SOCKET_PATH_BYTES_MAX) {
    const expected = `expected a folder whose ${LONGEST_SOCKET} has a path of at most ${SOCKET_PATH_BYTES_MAX} bytes`;
    throw new CliError(
      'usage',
      `${expected}, since Unix sockets go there; choose a shorter one than ${resolve(options.folder)}`,
    );
  }
  const there = [...Object.values(files), at('tokens')].find((path) => existsSync(path));
  if (there) throw new CliError('exists', `${there} is there already; nothing was done. Choose another folder`);
  return made;
}

const LONGEST_SOCKET = 'run/admin.sock';
/** sun_path has 108 bytes with its final zero (unix(7)); the service binds under a temporary name that is a little longer. */
const SOCKET_PATH_BYTES_MAX = 90;

/** PINs go from here to the token and to files of mode 0600, never through arguments or the environment. */
async function makeToken(made: InitFolder, label: string): Promise<void> {
  const { initSoftHsm } = await import('../token-admin/init-softhsm.js');
  const [userPin, soPin] = [randomPin(), randomPin()];
  writeNew(made.pin_file, `${userPin}\n`, 0o600);
  writeNew(made.so_pin_file, `${soPin}\n`, 0o600);
  await initSoftHsm({ module: made.module, conf: made.softhsm_conf, label, userPin, soPin });
}

function randomPin(): string {
  return randomBytes(PIN_ENTROPY_BYTES).toString('base64url');
}

const PIN_ENTROPY_BYTES = 18;

/** Fails on a file that came in between. */
function writeNew(file: string, content: string, mode: number): void {
  writeFileSync(file, content, { mode, flag: 'wx' });
}

function softHsmConf(tokens: string): string {
  const lines = [`directories.tokendir = ${tokens}`, 'objectstore.backend = file', 'log.level = ERROR'];
  return `${lines.join('\n')}\n`;
}

function softHsmModule(): string {
  const found = SOFTHSM_PLACES.find((place) => existsSync(place));
  if (found) return found;
  throw new CliError(
    'usage',
    'SoftHSM 2 was not found: install it (Debian: apt-get install softhsm2), or name its module with --module',
  );
}

/** Debian, Debian's multiarch, Fedora, and an own build. */
const SOFTHSM_PLACES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
] as const;
