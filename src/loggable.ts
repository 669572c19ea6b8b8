import { SignetError } from './errors.js';

/** Fields that are never logged, at whatever depth: secrets, and what callers want signed. The only such list. */
const REDACTED: ReadonlySet<string> = new Set([
  'pin',
  'sopin',
  'userpin',
  'password',
  'passphrase',
  'secret',
  'privatekey',
  'authorization',
  'cookie',
  'input',
]);
const REDACTED_TEXT = '[redacted]';
/** A private key in PEM, wherever it turns up. */
const PRIVATE_PEM = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/;

const TEXT_CHARACTERS_MAX = 1_024;
const STACK_CHARACTERS_MAX = 4_096;
const ITEMS_MAX = 32;
const DEPTH_MAX = 5;

/** A value as it may stand in a log: without secrets, bytes only by their number, everything bounded. */
export function loggable(value: unknown, depth = DEPTH_MAX): unknown {
  if (typeof value === 'string') return boundedText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return errorFields(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth === 0) return '[deeper]';
  if (Array.isArray(value)) return items(value, depth);
  return isPlain(value) ? fields(value, depth) : `[${value.constructor.name}]`;
}

/** A text of bounded length and without a private key. */
export function boundedText(text: string, charactersMax = TEXT_CHARACTERS_MAX): string {
  if (PRIVATE_PEM.test(text)) return REDACTED_TEXT;
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}… (${text.length} characters)`;
}

function items(list: readonly unknown[], depth: number): unknown[] {
  const shown = list.slice(0, ITEMS_MAX).map((item) => loggable(item, depth - 1));
  return list.length <= ITEMS_MAX ? shown : [...shown, `[${list.length - ITEMS_MAX} more]`];
}

function fields(object: object, depth: number): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(object).slice(0, ITEMS_MAX)) {
    shown[key] = isSecret(key) ? REDACTED_TEXT : loggable(value, depth - 1);
  }
  return shown;
}

function isSecret(key: string): boolean {
  return REDACTED.has(key.toLowerCase().replaceAll(/[_-]/g, ''));
}

/** What hangs on an error besides these is not shown: libraries hang requests and headers there. */
function errorFields(error: Error, depth: number): Record<string, unknown> {
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    message: boundedText(error.message),
    // A SignetError says all itself; the stack of what caused it matters.
    ...(error instanceof SignetError ? {} : { stack: boundedText(error.stack ?? '', STACK_CHARACTERS_MAX) }),
    ...(error.cause === undefined || depth === 0 ? {} : { cause: loggable(error.cause, depth - 1) }),
  };
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
