import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { SignetError } from '../errors.js';
import { type KeyName, LABEL_BYTES_MAX, parseKeyName } from '../key-name.js';
import type { GlobalOptions } from './cli.js';

export interface KeyOptions extends GlobalOptions {
  readonly key: KeyName;
}

const KEY_FORMS = 'label:NAME, id:HEX, spki:SHA-256, or a bare label';

/** `--key`, by which every command names its key. */
export function requireKeyOption(command: Command): Command {
  return command.requiredOption('--key <key>', `the key: ${KEY_FORMS}`, keyNameArgument);
}

export function tokenOption(command: Command): Command {
  return command.option('--token <name>', 'which of several configured tokens');
}

export function outOption(command: Command): Command {
  return command.option('--out <file>', 'write to this file instead of stdout');
}

/** For commands that ask the running service. */
export function socketOption(command: Command): Command {
  return command.option('--socket <path>', 'gRPC socket of the service (default: the first of grpc.unix)');
}

/** The label of a new key. */
export function labelArgument(text: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes >= 1 && bytes <= LABEL_BYTES_MAX && !/\p{Cc}/u.test(text)) return text;
  throw new InvalidArgumentError(`expected 1 to ${LABEL_BYTES_MAX} bytes without control characters`);
}

export function keyNameArgument(text: string): KeyName {
  try {
    return parseKeyName(text);
  } catch (thrown) {
    throw new InvalidArgumentError(SignetError.from(thrown).message);
  }
}

/** A whole number of at least 1. */
export function countArgument(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError('expected a whole number of at least 1');
}

/** Collects an option that may come several times. */
export function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}
