/** The words of the matrix: what a cell is, and what each program brings. */
import type { Site } from './site.js';

/** In the order of the table's columns. The label of the key in the token is its kind; `rsapss` has a certificate of type RSASSA-PSS. */
export const KEY_KINDS = ['p256', 'p384', 'p521', 'ed25519', 'rsa2048', 'rsa3072', 'rsa4096', 'rsapss'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

export const KEY_NAMES: Readonly<Record<KeyKind, string>> = {
  p256: 'P-256',
  p384: 'P-384',
  p521: 'P-521',
  ed25519: 'Ed25519',
  rsa2048: 'RSA-2048',
  rsa3072: 'RSA-3072',
  rsa4096: 'RSA-4096',
  rsapss: 'RSA-PSS',
};

/** A handshake of that version, or a signature outside of TLS. */
export type Way = '1.2' | '1.3' | 'signature';
export const TLS: readonly Way[] = ['1.2', '1.3'];

/** One line of the table. */
export interface Row {
  readonly program: string;
  /** How the key is named. */
  readonly naming: string;
  readonly keys: readonly KeyKind[];
  readonly ways: readonly Way[];
  /** Where a kind has fewer. */
  readonly waysOf?: Readonly<Partial<Record<KeyKind, readonly Way[]>>>;
  /** Of which kinds `make test` tries it too. */
  readonly quick: readonly KeyKind[];
}

export interface Cell {
  readonly row: Row;
  readonly key: KeyKind;
  readonly way: Way;
}

/** A line of the table that nothing here can run. */
export interface Untested {
  readonly program: string;
  readonly naming: string;
  readonly why: string;
}

/** Runs one cell and takes down how it went; never throws for what the cell does. */
export type Try = (cell: Cell, work: () => Promise<void>) => Promise<void>;

export interface Program {
  readonly rows: readonly Row[];
  /** Starts what the cells need, tries each once, and ends what it started. Throws if that cannot be started. */
  run(site: Site, cells: readonly Cell[], attempt: Try): Promise<void>;
}

export function cellsOf(rows: readonly Row[], isQuick: boolean): Cell[] {
  return rows.flatMap((row) =>
    row.keys
      .filter((key) => !isQuick || row.quick.includes(key))
      .flatMap((key) => waysOf(row, key).map((way) => ({ row, key, way }))),
  );
}

export function waysOf(row: Row, key: KeyKind): readonly Way[] {
  return row.waysOf?.[key] ?? row.ways;
}

export function cellName({ row, key, way }: Cell): string {
  return `${row.program}, ${row.naming}: ${KEY_NAMES[key]}, ${way === 'signature' ? way : `TLS ${way}`}`;
}

/** The cells of each kind of key, once. */
export function keysOf(cells: readonly Cell[]): KeyKind[] {
  return KEY_KINDS.filter((kind) => cells.some(({ key }) => key === kind));
}
