import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createProgram } from '../src/cli/program.js';
import { AdminServiceService } from '../src/gen/signet/v1/admin_service.js';
import { KeyServiceService } from '../src/gen/signet/v1/key_service.js';
import { SigningServiceService } from '../src/gen/signet/v1/signing_service.js';
import { createFaultyToken } from './fixtures/faulty-token.js';
import { startService } from './fixtures/running-service.js';
import { watchSigners } from './fixtures/signer-status.js';
import { recordGoal } from './reliability/measured-goal.js';
import { loadRequest, PipelinedClient } from './reliability/pipelined-client.js';
import { keysOf } from './reliability/service-key.js';

const PROJECT = join(import.meta.dirname, '..');
const NATIVE = join(PROJECT, 'build/native');
/** Words of every way back from a ciphertext, or to a shared secret. */
const FORBIDDEN = /decrypt|decipher|unwrap|decaps|derive/i;
/** What a signer may ask of a token, and nothing else. */
const TOKEN_CALLS = [
  ...[
    'C_Initialize',
    'C_Finalize',
    'C_GetInfo',
    'C_GetFunctionList',
    'C_GetInterface',
    'C_GetSlotList',
    'C_GetTokenInfo',
  ],
  ...[
    'C_GetMechanismList',
    'C_GetMechanismInfo',
    'C_OpenSession',
    'C_CloseSession',
    'C_GetSessionInfo',
    'C_Login',
    'C_Logout',
  ],
  ...['C_FindObjectsInit', 'C_FindObjects', 'C_FindObjectsFinal', 'C_GetAttributeValue', 'C_SignInit', 'C_Sign'],
];
/** CKR_FUNCTION_NOT_SUPPORTED. */
const NOT_SUPPORTED = 0x54;
/** The list of commands needs no terminal. */
const NO_CLI = {} as Parameters<typeof createProgram>[0];

// style: long because one service, started once, gets all of it
t.test('B3: there is no way to decrypt or to unwrap', async (t) => {
  let found = 0;
  const none = (t: Test, where: string, names: readonly string[]) => {
    const forbidden = names.filter((name) => FORBIDDEN.test(name));
    found += forbidden.length;
    t.ok(names.length > 0, `${where}: ${names.length} names`);
    t.same(forbidden, [], where);
  };

  t.test('in no API', async (t) => {
    for (const service of [SigningServiceService, KeyServiceService, AdminServiceService])
      none(
        t,
        'gRPC',
        Object.values(service).map(({ path }) => path),
      );
    const protos = filesUnder(join(PROJECT, 'proto/signet'), '.proto');
    const fields = protos.flatMap(
      (file) =>
        readFileSync(file, 'utf8')
          .replace(/\/\/.*$/gm, '')
          .match(/\w+/g) ?? [],
    );
    none(t, 'the contract', fields);
    none(
      t,
      'the command',
      createProgram(NO_CLI).commands.flatMap((command) => [
        command.name(),
        ...command.commands.map((sub) => sub.name()),
      ]),
    );
  });

  t.test('in no source of the service, and no list of symbols', async (t) => {
    const calls = filesUnder(join(PROJECT, 'src'), '.ts').flatMap(
      (file) =>
        readFileSync(file, 'utf8').match(
          /\bC_\w+|\b(?:private)?[dD]e(?:crypt|cipher)\w*\(|\bcreateDecipheriv|\bdiffieHellman\(/g,
        ) ?? [],
    );
    none(t, 'what the sources call', calls);
    for (const library of readdirSync(NATIVE).filter((file) => file.endsWith('.so'))) {
      const symbols = execFileSync('nm', ['--dynamic', join(NATIVE, library)], { encoding: 'utf8' });
      none(
        t,
        library,
        symbols
          .split('\n')
          .map((line) => line.slice(line.lastIndexOf(' ') + 1))
          .filter(Boolean),
      );
    }
  });

  t.test('the PKCS#11 module refuses each of these functions', async (t) => {
    const list = readFileSync(join(PROJECT, 'native/pkcs11/functions.def'), 'utf8');
    const named = [...list.matchAll(/^(SERVED|REFUSED)\w*\((C_\w+)/gm)].filter(([, , name]) =>
      FORBIDDEN.test(name ?? ''),
    );
    t.ok(named.length >= 10, `${named.length} functions`);
    found += named.filter(([, kind]) => kind !== 'REFUSED').length;
    t.ok(named.every(([, kind]) => kind === 'REFUSED'));
    const program = `
      import pkcs11js from 'pkcs11js';
      const p11 = new pkcs11js.PKCS11();
      p11.load(process.argv[1]);
      const codes = ['C_DecryptInit', 'C_UnwrapKey', 'C_DeriveKey', 'C_WrapKey', 'C_GenerateKey'].map((name) => {
        const nothing = Buffer.alloc(8), mechanism = { mechanism: 1 };
        const last = { C_UnwrapKey: [nothing, nothing, []], C_WrapKey: [nothing, nothing, Buffer.alloc(512)], C_DeriveKey: [nothing, []], C_GenerateKey: [[]] }[name] ?? [nothing];
        try { p11[name](nothing, mechanism, ...last); return 0; } catch (error) { return error.code ?? String(error); }
      });
      console.log(JSON.stringify(codes));`;
    const args = ['--input-type=module', '-e', program, join(NATIVE, 'signet-pkcs11.so')];
    const codes: number[] = JSON.parse(execFileSync(process.execPath, args, { cwd: PROJECT, encoding: 'utf8' }));
    t.same(codes, Array(5).fill(NOT_SUPPORTED), 'when they are called as well');
  });

  await t.test('the token never sees one, not even for an RSA key', async (t) => {
    const token = createFaultyToken({
      keys: [
        { label: 'p256', type: 'p256' },
        { label: 'rsa', type: 'rsa2048' },
      ],
    });
    t.teardown(() => token.remove());
    const service = await startService(t, token, { verify: 'always' });
    await watchSigners(t, service).whole(1);
    const client = await PipelinedClient.open(service.webSocket);
    for (const key of await keysOf(service)) {
      for (const scheme of [0x0403, 0x0804, 0x0401]) await client.request({ ...loadRequest(key, 5_000), scheme });
    }
    await client.close();
    service.kill('SIGTERM');
    await service.exit();
    const called = [...new Set(token.spyLog().map((call) => call.function))];
    none(t, 'the spy log', called);
    t.same(
      called.filter((name) => !TOKEN_CALLS.includes(name)),
      [],
      'nor anything else than signing needs',
    );
  });

  recordGoal({
    id: 'B3',
    goal: 'ways to decrypt, unwrap or derive that were found',
    measured: found,
    unit: '',
    must: 'at most',
    bound: 0,
  });
});

function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending) && !file.endsWith(`.test${ending}`) && !file.startsWith('gen/'))
    .map((file) => join(folder, file));
}
