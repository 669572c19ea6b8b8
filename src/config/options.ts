import type { z } from 'zod';
import { configSchema } from './schema.js';

/** One option of the configuration that is a plain value; `[]` in its path stands for any item of a list. */
export interface Option {
  readonly path: readonly string[];
  readonly schema: z.ZodType;
  readonly optional: boolean;
  /** Undefined if it has none. */
  readonly defaultValue: unknown;
}

/** Every option of the schema. The list says which paths to make absolute and what the manual must explain. */
export const OPTIONS: readonly Option[] = optionsOf(configSchema, []);

/** The names that a mapping of the configuration may have, or undefined where any are allowed or no mapping belongs. */
export function namesAt(path: readonly PropertyKey[]): readonly string[] | undefined {
  let schema = unwrap(configSchema).schema;
  for (const step of path) {
    const { shape, element } = schema.def as Definition;
    const next = typeof step === 'number' ? element : shape?.[String(step)];
    if (next === undefined) return undefined;
    schema = unwrap(next).schema;
  }
  const { shape } = schema.def as Definition;
  return shape && Object.keys(shape);
}

/** What the walk needs of zod's definitions. */
interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly element?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly defaultValue?: unknown;
}

interface Unwrapped {
  readonly schema: z.ZodType;
  readonly optional: boolean;
  readonly defaultValue: unknown;
}

function optionsOf(wrapped: z.ZodType, path: readonly string[]): Option[] {
  const { schema, optional, defaultValue } = unwrap(wrapped);
  const { shape, element } = schema.def as Definition;
  if (shape) return Object.entries(shape).flatMap(([key, inner]) => optionsOf(inner, [...path, key]));
  // A list of plain values is one option; a list of mappings is several.
  const items = element && optionsOf(element, [...path, '[]']);
  if (items && items.length > 1) return items;
  return [{ path, schema, optional, defaultValue }];
}

function unwrap(wrapped: z.ZodType): Unwrapped {
  let unwrapped: Unwrapped = { schema: wrapped, optional: false, defaultValue: undefined };
  for (;;) {
    const { type, innerType, defaultValue } = unwrapped.schema.def as Definition;
    if (innerType === undefined) return unwrapped;
    const optional = unwrapped.optional || type === 'optional' || type === 'prefault' || type === 'default';
    unwrapped = { schema: innerType, optional, defaultValue: unwrapped.defaultValue ?? defaultValue };
  }
}
