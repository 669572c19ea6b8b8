import { isDeepStrictEqual } from 'node:util';
import type { Config } from './schema.js';

/**
 * The options that take effect in a running service, as docs/configuration.md lists them; `[]` is any item of a list. All others
 * hold until the service starts again: sockets and tokens are opened once, and an audit file has one chain.
 */
export const RELOADABLE: readonly string[] = [
  'principals',
  'principal_groups',
  'keys',
  'key_groups',
  'grants',
  'limits.sign_timeout_ms',
  'limits.connections_max',
  'limits.drain_timeout_ms',
  'limits.duplicate_window_ms',
  'grpc.tcp.[].certificate_file',
  'grpc.tcp.[].key_file',
  'grpc.tcp.[].client_ca_file',
  'log.level',
];

export interface Change {
  readonly path: readonly PropertyKey[];
  /** Whether it takes effect without a restart. */
  readonly reloadable: boolean;
}

/** The options that differ, each by the shortest path that says enough. */
export function changesBetween(before: Config, after: Config): readonly Change[] {
  return changesAt([], before, after);
}

function changesAt(path: readonly PropertyKey[], before: unknown, after: unknown): readonly Change[] {
  const reloadable = RELOADABLE.includes(path.map((step) => (typeof step === 'number' ? '[]' : step)).join('.'));
  if (isDeepStrictEqual(before, after)) return [];
  const steps = reloadable ? undefined : stepsOfBoth(before, after);
  if (steps === undefined) return [{ path, reloadable }];
  return steps.flatMap((step) => changesAt([...path, step], inside(before, step), inside(after, step)));
}

/** Undefined where there is nothing inside that could be compared by itself. */
function stepsOfBoth(before: unknown, after: unknown): PropertyKey[] | undefined {
  if (Array.isArray(before) && Array.isArray(after)) {
    return before.length === after.length ? [...before.keys()] : undefined;
  }
  if (!isMapping(before) || !isMapping(after)) return undefined;
  return [...new Set([...Object.keys(before), ...Object.keys(after)])];
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function inside(value: unknown, step: PropertyKey): unknown {
  return (value as Record<PropertyKey, unknown>)[step];
}
