import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TokenConfig } from '../../src/config/schema.js';
import type { KeyKind } from '../../src/token-admin/key-kinds.js';

/** A token that the contract suite runs on; it may do to it what it likes. */
export interface ContractToken {
  /** For titles. */
  readonly name: string;
  readonly folder: string;
  readonly config: TokenConfig;
  /** What makes its keys: `signet keys generate`, or a tool of the token's own. */
  generate(kind: KeyKind, label: string): Promise<void>;
  /** Kinds that its mechanism list allows and it cannot do all the same, each with what happens. */
  readonly lacks?: Readonly<Partial<Record<KeyKind, string>>>;
  /** How many processes may use it at once, where that is few. */
  readonly signersMax?: number;
  remove(): void | Promise<void>;
}

/** The sizes of keys, in bits, that a mechanism takes; 0 to 0 where the token does not say. */
export interface MechanismRange {
  readonly min: number;
  readonly max: number;
}

/** CKM_… number to its range of sizes. */
export type Mechanisms = ReadonlyMap<number, MechanismRange>;

/** What C_GetMechanismList says; asked in a process of its own, since modules read their environment once in a process. */
export async function mechanismsOf({ module, environment, library_parameters, token_label }: TokenConfig) {
  const program = fileURLToPath(new URL('./list-mechanisms.ts', import.meta.url));
  const order = JSON.stringify({ module, library_parameters, token_label });
  const { stdout } = await run(process.execPath, [`--import=${import.meta.resolve('tsx')}`, program, order], {
    env: { ...process.env, ...environment },
  });
  return new Map(JSON.parse(stdout) as [number, MechanismRange][]);
}

/** `signet keys generate` as a user calls it, on the token of this configuration. */
export async function generateWithSignet(folder: string, token: TokenConfig, kind: KeyKind, label: string) {
  const file = join(folder, 'generate.json');
  writeFileSync(
    file,
    JSON.stringify({
      version: 1,
      tokens: [token],
      admin: { path: 'no-admin.sock' },
      catalogue_file: 'no-catalogue',
      state_dir: 'no-state',
    }),
  );
  await run(process.execPath, [SIGNET, '--config', file, 'keys', 'generate', '--type', kind, '--label', label]);
}

const run = promisify(execFile);
const SIGNET = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
