import { test } from 'tap';
import { ckrCodeOf, ckrOf, describe } from './ckr.js';

test('a return value is read from both shapes in which pkcs11js throws it', async (t) => {
  t.equal(ckrCodeOf(Object.assign(new Error('CKR_DEVICE_ERROR'), { code: 0x30 })), 0x30);
  t.equal(ckrCodeOf(new Error('CKR_SESSION_HANDLE_INVALID:179')), 0xb3);
  t.equal(ckrCodeOf(new TypeError('no error of PKCS#11')), undefined);
});

test('what another signer may do is told apart from what none can', async (t) => {
  t.match(ckrOf(0xb3), { name: 'CKR_SESSION_HANDLE_INVALID', fault: 'session', retryElsewhere: true });
  t.match(ckrOf(0x21), { name: 'CKR_DATA_LEN_RANGE', fault: 'request', retryElsewhere: false });
  t.match(ckrOf(0xa0), { name: 'CKR_PIN_INCORRECT', fault: 'pin', retryElsewhere: false });
});

test("a vendor's own value counts against the token and is named by its number", async (t) => {
  t.match(ckrOf(0x80000001), { fault: 'token', retryElsewhere: true });
  t.equal(describe(new Error('CKR_VENDOR_DEFINED:2147483649')), 'CKR 0x80000001');
});
