import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newTokenConfig } from '../fixtures/token-config.js';
import { type ContractToken, generateWithSignet } from './contract-token.js';

/**
 * The token that Firefox has: a database in a folder, which the module must be told in C_Initialize. Its second slot holds keys;
 * the first has the same serial number, so only the label tells them apart.
 */
export function nss(): ContractToken {
  const folder = mkdtempSync(join(tmpdir(), 'signet-nss-'));
  const [database, pinFile] = [join(folder, 'db'), join(folder, 'pin')];
  mkdirSync(database);
  writeFileSync(pinFile, `${randomInt(10_000_000, 100_000_000)}\n`, { mode: 0o600 });
  execFileSync('certutil', ['-N', '-d', `sql:${database}`, '-f', pinFile], { stdio: ['ignore', 'ignore', 'pipe'] });
  const config = newTokenConfig({
    name: 'nss',
    module: softoken(),
    library_parameters: `configdir='sql:${database}' certPrefix='' keyPrefix='' secmod='secmod.db'`,
    token_label: 'NSS Certificate DB',
    pin_file: pinFile,
  });
  return {
    name: 'NSS softoken',
    folder,
    config,
    generate: (kind, label) => generateWithSignet(folder, config, kind, label),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Where distributions put it; SIGNET_TEST_SOFTOKEN names another place. */
function softoken(): string {
  const places = [
    process.env.SIGNET_TEST_SOFTOKEN ?? '',
    '/usr/lib/x86_64-linux-gnu/libsoftokn3.so',
    '/usr/lib/aarch64-linux-gnu/libsoftokn3.so',
    '/usr/lib/x86_64-linux-gnu/nss/libsoftokn3.so',
    '/usr/lib/aarch64-linux-gnu/nss/libsoftokn3.so',
    '/usr/lib64/libsoftokn3.so',
  ];
  const found = places.find((place) => place !== '' && existsSync(place));
  if (!found)
    throw new Error(
      'NSS is not installed (apt-get install libnss3), or name its libsoftokn3.so in SIGNET_TEST_SOFTOKEN',
    );
  return found;
}
