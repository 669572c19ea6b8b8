import { readFileSync } from 'node:fs';
import pkcs11js from 'pkcs11js';
import { test } from 'tap';
import { CKRS, type Ckr, ckrCodeOf, ckrOf, describe } from './ckr.js';

/** The codes that the fault-injecting module can be told to return, by the header of PKCS#11 2.40. */
const NAMES = [
  ...readFileSync(new URL('../../native-test/faulty/ckr.def', import.meta.url), 'utf8').matchAll(/^X\((CKR_\w+)\)/gm),
].map(([, name = '']) => name);

test('every return value of PKCS#11 2.40 stands in the table once, with its number', async (t) => {
  const known = pkcs11js as unknown as Readonly<Record<string, number | undefined>>;
  const names = new Set(CKRS.map(({ name }) => name));
  t.same(
    NAMES.filter((name) => name !== 'CKR_OK' && !names.has(name)),
    [],
  );
  for (const { name, code } of CKRS) t.equal(code, known[name] ?? code, name);
  t.equal(new Set(CKRS.map(({ code }) => code)).size, CKRS.length);
});

test('a return value is read from both shapes in which pkcs11js throws it', async (t) => {
  t.equal(ckrCodeOf(Object.assign(new Error('CKR_DEVICE_ERROR'), { code: 0x30 })), 0x30);
  t.equal(ckrCodeOf(new Error('CKR_SESSION_HANDLE_INVALID:179')), 0xb3);
  t.equal(ckrCodeOf(new TypeError('no error of PKCS#11')), undefined);
});

test('what another signer may do is told apart from what none can', async (t) => {
  t.match(ckrOf(0xb3), { name: 'CKR_SESSION_HANDLE_INVALID', fault: 'session', retry: true });
  t.match(ckrOf(0x21), { name: 'CKR_DATA_LEN_RANGE', fault: 'caller', retry: false });
  t.match(ckrOf(0xa0), { name: 'CKR_PIN_INCORRECT', fault: 'pin', retry: false });
});

const VERDICTS: readonly Pick<Ckr, 'name' | 'retires'>[] = [
  { name: 'CKR_FUNCTION_FAILED', retires: 'nothing' },
  { name: 'CKR_OPERATION_ACTIVE', retires: 'nothing' },
  { name: 'CKR_DEVICE_ERROR', retires: 'nothing' },
  { name: 'CKR_KEY_HANDLE_INVALID', retires: 'keys' },
  { name: 'CKR_USER_NOT_LOGGED_IN', retires: 'login' },
  { name: 'CKR_SESSION_HANDLE_INVALID', retires: 'session' },
  { name: 'CKR_SESSION_CLOSED', retires: 'session' },
  { name: 'CKR_DEVICE_REMOVED', retires: 'session' },
  { name: 'CKR_TOKEN_NOT_PRESENT', retires: 'session' },
  { name: 'CKR_GENERAL_ERROR', retires: 'signer' },
  { name: 'CKR_CRYPTOKI_NOT_INITIALIZED', retires: 'signer' },
];

test('only what is of no more use is retired', async (t) => {
  for (const { name, retires } of VERDICTS) t.equal(CKRS.find((ckr) => ckr.name === name)?.retires, retires, name);
});

test('whoever asked for what cannot be done costs nobody anything', async (t) => {
  for (const { name, fault, retry, retires } of CKRS) {
    if (fault === 'caller') t.same({ retry, retires }, { retry: false, retires: 'nothing' }, name);
    if (fault === 'pin') t.same({ retry, retires }, { retry: false, retires: 'signer' }, name);
    if (retires !== 'nothing' && fault !== 'pin') t.ok(retry, `${name}: what replaces it may serve`);
  }
});

test("a vendor's own value counts against the token and is named by its number", async (t) => {
  t.match(ckrOf(0x80000001), { fault: 'token', retry: true, retires: 'nothing' });
  t.equal(describe(new Error('CKR_VENDOR_DEFINED:2147483649')), 'CKR 0x80000001');
});
