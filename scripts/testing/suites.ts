import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { GoalId } from '../../test/reliability/goals.js';

/** One entry of `make test`. */
export interface Suite {
  readonly name: string;
  readonly command: readonly string[];
  /** `tap`: its standard output is TAP, one test a line. `exit`: the whole is one test, judged by its exit code. */
  readonly counts: 'tap' | 'exit';
  /** Killed after this, in seconds. */
  readonly limitS: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** The goal of test/reliability/goals.ts of which the suite as a whole is a proof: none of its tests may fail. */
  readonly goal?: GoalId;
}

/** Two cores are what a small machine has; the tests wait more than they compute. */
const PARALLEL_FILES = 2;
const CHECK_LIMIT_S = 300;
const SUITE_LIMIT_S = 1200;
const SCRIPT_LIMIT_S = 300;
const LONG_LIMIT_S = 1500;
const SOAK_LIMIT_S = 7200;
const PKCS11_EXPORTS = ['build/native/signet-pkcs11.so', 'C_GetFunctionList', 'C_GetInterface', 'C_GetInterfaceList'];
const ENGINE_EXPORTS = ['build/native/engines/signet.so', 'bind_engine', 'v_check'];
const ASYNC_EXPORTS = [
  'build/native/signet_async.so',
  ...['SSL_accept', 'SSL_connect', 'SSL_do_handshake', 'SSL_free', 'SSL_get_error', 'SSL_read_early_data'],
  ...['epoll_ctl', 'epoll_wait', 'makecontext', 'signet_async_v1'],
];
const CMOCKA_TAP = { CMOCKA_MESSAGE_OUTPUT: 'TAP' };

export function quickSuites(): Suite[] {
  return [
    ...checks(),
    typescriptTests(),
    ...nativeTests('test', SUITE_LIMIT_S),
    ...nativeTests('fuzz', SUITE_LIMIT_S, { FUZZ_SECONDS: '10' }),
    ...scripts('nginx', SCRIPT_LIMIT_S),
    ...scripts('async', SCRIPT_LIMIT_S),
  ];
}

/** Whose hundred faults take some three minutes: every long run has them. */
const HUNDREDFOLD = ['soak: F1', 'soak: F3'];

export function longSuites(): Suite[] {
  return [
    millionMessages(),
    ...longTests(),
    ...nativeTests('long', LONG_LIMIT_S),
    ...soakSuites().filter(({ name }) => HUNDREDFOLD.includes(name)),
    ...nativeTests('sanitize', LONG_LIMIT_S),
    ...nativeTests('valgrind', LONG_LIMIT_S),
    ...nativeTests('fuzz', LONG_LIMIT_S, { FUZZ_SECONDS: '60' }),
    ...scripts('nginx/long', LONG_LIMIT_S),
    ...scripts('async/long', LONG_LIMIT_S),
  ];
}

/** The tests of goals at the goals' own length: each file that is named after a goal is a suite of its own. */
export function soakSuites(): Suite[] {
  const soaks = readdirSync('test').filter((file) => /^(load|fault|bad)-[LFB]\w+\.test\.ts$/.test(file));
  return soaks.sort().map((file) => ({
    name: `soak: ${file.replace(/^\w+-|\.test\.ts$/g, '')}`,
    command: ['tap', '--reporter=tap', `--timeout=${SOAK_LIMIT_S}`, join('test', file)],
    counts: 'tap',
    limitS: SOAK_LIMIT_S,
  }));
}

function checks(): Suite[] {
  const check = (name: string, ...command: string[]): Suite => ({
    name,
    command,
    counts: 'exit',
    limitS: CHECK_LIMIT_S,
  });
  return [
    check('lint: biome finds nothing', 'biome', 'check', '.'),
    check('contract: buf lint finds nothing', 'buf', 'lint'),
    check('contract: no older client is broken (buf breaking)', 'buf', 'breaking', '--against', 'proto/baseline.binpb'),
    check('format: clang-format finds nothing', 'scripts/format-c', '--check'),
    check('types: tsc finds nothing', 'tsc', '-p', 'tsconfig.json', '--noEmit'),
    check('style: sizes, names and the direction of imports', 'node', '--import=tsx', 'scripts/check-style.ts'),
    check('exports: the provider shows its entry point only', 'native/exports/check', 'build/native/signet.so'),
    check('exports: the preload library shows what it interposes only', 'native/exports/check', ...ASYNC_EXPORTS),
    check('exports: the PKCS#11 module shows its entry points only', 'native/exports/check', ...PKCS11_EXPORTS),
    ...(existsSync(ENGINE_EXPORTS[0] ?? '')
      ? [check('exports: the engine shows its entry points only', 'native/exports/check', ...ENGINE_EXPORTS)]
      : []),
  ];
}

function typescriptTests(): Suite {
  return {
    name: 'typescript',
    command: ['tap', '--reporter=tap', `--jobs=${PARALLEL_FILES}`],
    counts: 'tap',
    limitS: SUITE_LIMIT_S,
  };
}

const MESSAGE_PROPERTIES = ['tls-message', 'foreign-messages'].map((name) => `src/policy/${name}.property.test.ts`);

/** Goal B1: what may be signed, on a million messages for each of its properties. */
function millionMessages(): Suite {
  return {
    name: 'policy: a million messages',
    command: ['tap', '--reporter=tap', `--timeout=${LONG_LIMIT_S}`, ...MESSAGE_PROPERTIES],
    counts: 'tap',
    limitS: LONG_LIMIT_S,
    environment: { SIGNET_PROPERTY_RUNS: '1000000' },
  };
}

/** Every file of test/long/, each a suite of its own. */
function longTests(): Suite[] {
  const folder = 'test/long';
  const files = readdirSync(folder).filter((file) => file.endsWith('.test.ts'));
  return files.sort().map((file) => ({
    name: `long: ${basename(file, '.test.ts')}`,
    command: ['tap', '--reporter=tap', `--timeout=${LONG_LIMIT_S}`, join(folder, file)],
    counts: 'tap',
    limitS: LONG_LIMIT_S,
  }));
}

/** Every folder of native-test/ whose Makefile has the target. */
function nativeTests(target: string, limitS: number, environment: Suite['environment'] = {}): Suite[] {
  return folders('native-test')
    .filter((folder) => hasTarget(join(folder, 'Makefile'), target))
    .map((folder) => ({
      name: target === 'test' ? `native: ${basename(folder)}` : `${target}: ${basename(folder)}`,
      command: ['make', '--silent', '-C', folder, target],
      counts: 'tap',
      limitS,
      environment: { ...CMOCKA_TAP, ...environment },
      ...(target !== 'test' && { goal: 'B8' as const }),
    }));
}

/** Every shell script of a folder of native-test/: one test, whose name is the file's. */
function scripts(subfolder: string, limitS: number): Suite[] {
  const folder = join('native-test', subfolder);
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((file) => file.endsWith('.sh') && file !== 'lib.sh');
  return files.sort().map((file) => ({
    name: `${subfolder.split('/')[0]}: ${basename(file, '.sh').replaceAll('-', ' ')}`,
    command: ['bash', join(folder, file)],
    counts: 'exit',
    limitS,
  }));
}

function folders(parent: string): string[] {
  const entries = readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return entries.map((entry) => join(parent, entry.name)).sort();
}

function hasTarget(makefile: string, target: string): boolean {
  return existsSync(makefile) && new RegExp(`^${target}:`, 'm').test(readFileSync(makefile, 'utf8'));
}
