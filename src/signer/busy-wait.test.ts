import type pkcs11js from 'pkcs11js';
import { test } from 'tap';
import { whileBusy } from './busy-wait.js';
import { CKRS } from './ckr.js';
import type { Token } from './token.js';

test('a call is made again while the token is busy, with waits in between', async (t) => {
  const { token, call, calls } = busy('CKR_FUNCTION_FAILED', 4);
  const beganMs = performance.now();
  t.equal(whileBusy(token, 60_000, call), 'made');
  t.equal(calls.length, 5);
  t.ok(performance.now() - beganMs >= (2 + 4 + 8 + 16) / 2, 'the waits double');
});

test('an operation that was left active is ended before the next call', async (t) => {
  const { token, call, calls, ended } = busy('CKR_OPERATION_ACTIVE', 2);
  t.equal(whileBusy(token, 60_000, call), 'made');
  t.same([calls.length, ended.length], [3, 2]);
  t.equal(busy('CKR_FUNCTION_FAILED', 1).ended.length, 0);
});

test('it ends with the time for it', async (t) => {
  const { token, call, calls } = busy('CKR_FUNCTION_FAILED', Number.POSITIVE_INFINITY);
  const beganMs = performance.now();
  t.throws(() => whileBusy(token, 30, call), { message: 'CKR_FUNCTION_FAILED' });
  t.ok(calls.length >= 1, `${calls.length} calls`);
  t.ok(performance.now() - beganMs < 5_000);
});

test('nothing else is tried again', async (t) => {
  const { token, call, calls } = busy('CKR_DEVICE_ERROR', 1);
  t.throws(() => whileBusy(token, 60_000, call), {
    message: 'CKR_DEVICE_ERROR',
  });
  t.equal(calls.length, 1);
});

/** A token whose next calls answer a code. */
function busy(name: string, times: number) {
  const calls: string[] = [];
  const ended: string[] = [];
  const fail = (which: string): never => {
    throw Object.assign(new Error(which), { code: CKRS.find((ckr) => ckr.name === which)?.code });
  };
  const p11 = {
    C_SignFinal: () => {
      ended.push('C_SignFinal');
      fail('CKR_OPERATION_NOT_INITIALIZED');
    },
  } as unknown as pkcs11js.PKCS11;
  const token = { p11, session: Buffer.alloc(8) } as Token;
  const call = () => {
    calls.push('C_Sign');
    return calls.length > times ? 'made' : fail(name);
  };
  return { token, call, calls, ended };
}
