import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { SignetError } from '../errors.js';
import type { TokenConfig } from './schema.js';

/** Vendors differ; PKCS#11 gives no limit. */
const PIN_BYTES_MAX = 256;

/**
 * The PIN of a token, 1 to 256 bytes, without its final line break. The caller owns the buffer and fills it with zeros after use.
 * Throws SignetError invalid_argument that says which file is wrong, why and what to do; never what it holds.
 */
export function readPin(token: Pick<TokenConfig, 'name' | 'pin_file' | 'pin_credential'>): Buffer {
  if (token.pin_file !== undefined) return readSecretLine(token.name, token.pin_file, checkOwnFile);
  const folder = process.env.CREDENTIALS_DIRECTORY;
  if (!folder) {
    throw refuse(
      token.name,
      `expected the systemd credential "${token.pin_credential}", but CREDENTIALS_DIRECTORY is not set`,
      'start signet by a unit with LoadCredential= or LoadCredentialEncrypted=, or use pin_file',
    );
  }
  return readSecretLine(token.name, join(folder, token.pin_credential as string), checkCredential);
}

type FileCheck = (token: string, file: string, stats: Stats) => void;

/** Everything is checked on the open descriptor, so the file that is judged is the file that is read. */
function readSecretLine(token: string, file: string, check: FileCheck): Buffer {
  const descriptor = openSecret(token, file);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile())
      throw refuse(token, `PIN file ${file} is not a regular file`, 'name a file that holds the PIN');
    check(token, file, stats);
    // Not from node's shared pool: what others get from there must not lie beside a PIN.
    const buffer = Buffer.allocUnsafeSlow(PIN_BYTES_MAX + '\r\n'.length + 1).fill(0);
    return lineOf(token, file, buffer.subarray(0, readAll(descriptor, buffer)));
  } finally {
    closeSync(descriptor);
  }
}

/** O_NONBLOCK: opening a FIFO must not wait for its writer. */
function openSecret(token: string, file: string): number {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    const advice: Record<string, string> = {
      ENOENT: 'create it with mode 0600 and the PIN as its only line',
      EACCES: `let it belong to the user that runs signet: chown ${userId()} ${file}`,
    };
    throw refuse(token, `PIN file ${file} cannot be opened (${code})`, advice[code] ?? 'check its path', cause);
  }
}

function checkOwnFile(token: string, file: string, stats: Stats): void {
  // A link decides which file is read, so whoever could have made it must be trusted like the file's owner.
  for (const { uid } of [stats, lstatSync(file)]) {
    if (uid === 0 || uid === userId()) continue;
    throw refuse(
      token,
      `PIN file ${file} belongs to user ${uid}; expected user ${userId()}, who runs signet, or root`,
      `chown ${userId()} ${file}`,
    );
  }
  if ((stats.mode & 0o077) === 0) return;
  const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
  throw refuse(token, `PIN file ${file} has mode ${mode}, so others than its owner may use it`, `chmod 600 ${file}`);
}

/** systemd lets the unit's user in by an access list, which shows as group bits; its folder is closed to everyone else. */
function checkCredential(token: string, file: string, stats: Stats): void {
  if ((stats.mode & 0o027) === 0) return;
  const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
  throw refuse(
    token,
    `credential ${file} has mode ${mode}; systemd makes 0400 or 0440`,
    'let systemd make it: LoadCredential=',
  );
}

function readAll(descriptor: number, buffer: Buffer): number {
  let length = 0;
  for (;;) {
    const got = readSync(descriptor, buffer, length, buffer.length - length, null);
    length += got;
    if (got === 0 || length === buffer.length) return length;
  }
}

function lineOf(token: string, file: string, content: Buffer): Buffer {
  const pin = withoutLineBreak(content);
  const wrong = faultOf(pin);
  if (wrong === undefined) return pin;
  content.fill(0);
  throw refuse(token, `PIN file ${file} ${wrong}`, 'write the PIN as its only line');
}

function withoutLineBreak(content: Buffer): Buffer {
  if (content.at(-1) !== 0x0a) return content;
  return content.subarray(0, content.at(-2) === 0x0d ? -2 : -1);
}

function faultOf(pin: Buffer): string | undefined {
  if (pin.length === 0) return 'is empty';
  if (pin.length > PIN_BYTES_MAX) return `holds more than ${PIN_BYTES_MAX} bytes`;
  if (pin.includes(0x0a) || pin.includes(0)) return 'holds more than one line of text';
  return undefined;
}

function userId(): number {
  return process.geteuid?.() ?? -1;
}

function refuse(token: string, what: string, advice: string, cause?: unknown): SignetError {
  return new SignetError('invalid_argument', `token "${token}": ${what}; ${advice}`, cause ? { cause } : {});
}
