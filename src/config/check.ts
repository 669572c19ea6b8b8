import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { loadConfig } from './load.js';
import { readPin } from './pin.js';
import { ConfigError } from './problem.js';
import type { Config, UnixSocketConfig } from './schema.js';

export interface Check {
  readonly ok: boolean;
  /** One sentence each; empty if ok. */
  readonly problems: readonly string[];
}

/**
 * Whether the service could start with a configuration: the file itself and, when that is right, the files and folders that
 * it names, as the user sees them who asks. It logs in nowhere and changes nothing.
 */
export function checkConfig(file: string): Check {
  let problems: readonly string[];
  try {
    problems = surroundingsOf(loadConfig(file));
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    problems = thrown.problems;
  }
  return { ok: problems.length === 0, problems };
}

function surroundingsOf(config: Config): string[] {
  return [...tokens(config), ...readable(config), ...folders(config)].filter((problem) => problem !== undefined);
}

function tokens(config: Config): (string | undefined)[] {
  return config.tokens.flatMap((token, i) => [
    access(`tokens[${i}].module`, token.module, constants.R_OK),
    faultOf(() => readPin(token).fill(0)),
  ]);
}

function readable(config: Config): (string | undefined)[] {
  return config.grpc.tcp.flatMap((listener, i) =>
    (['certificate_file', 'key_file', 'client_ca_file'] as const).map((option) =>
      access(`grpc.tcp[${i}].${option}`, listener[option], constants.R_OK),
    ),
  );
}

/** Sockets and files are made beside their final names, so their folders must be there and writable. */
function folders(config: Config): (string | undefined)[] {
  const sockets: [string, UnixSocketConfig][] = [
    ...config.sockets.map((socket, i): [string, UnixSocketConfig] => [`sockets[${i}].path`, socket]),
    ...config.grpc.unix.map((socket, i): [string, UnixSocketConfig] => [`grpc.unix[${i}].path`, socket]),
    ['admin.path', config.admin],
  ];
  const made: [string, string][] = [
    // One that is passed is made by systemd.
    ...sockets.flatMap(([option, { path, fd_name }]): [string, string][] => (fd_name ? [] : [[option, path]])),
    ['catalogue_file', config.catalogue_file],
    ['state_dir', config.state_dir],
  ];
  if (config.audit) made.push(['audit.file', config.audit.file]);
  return made.map(([option, path]) =>
    access(`${option}: the folder of ${path}`, dirname(path), constants.W_OK | constants.X_OK),
  );
}

function access(what: string, path: string, mode: number): string | undefined {
  return faultOf(() => {
    if (mode & constants.W_OK && !statSync(path).isDirectory()) throw new Error(`${path} is not a folder`);
    accessSync(path, mode);
  }, `${what}: `);
}

function faultOf(attempt: () => void, prefix = ''): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (thrown) {
    return prefix + (thrown instanceof Error ? thrown.message : String(thrown));
  }
}
