import { test } from 'tap';
import { ecdsaDer, octetStringContent } from './der.js';

const half = (hex: string) => hex.padStart(64, '0');

test('an ECDSA signature becomes DER with minimal, positive integers', async (t) => {
  const cases: [r: string, s: string, der: string][] = [
    ['01', '7f', '300602010102017f'],
    ['80', 'ff01', '30090202008002030' + '0ff01'],
    ['00', '00', '3006020100020100'],
  ];
  for (const [r, s, der] of cases) t.equal(ecdsaDer(Buffer.from(half(r) + half(s), 'hex')).toString('hex'), der);
});

test('a P-521 signature has a length of two bytes', async (t) => {
  const der = ecdsaDer(Buffer.alloc(132, 0x7f));
  t.equal(der.subarray(0, 5).toString('hex'), '3081880242');
  t.equal(der.length, 139);
});

test('the content of an OCTET STRING is given only if it fills the buffer', async (t) => {
  t.same(octetStringContent(Buffer.from('0402aabb', 'hex')), Buffer.from('aabb', 'hex'));
  t.same(octetStringContent(Buffer.from('048102aabb', 'hex')), Buffer.from('aabb', 'hex'));
  for (const none of ['', '04', '0402aa', '0402aabbcc', '0302aabb', '0484', '048181']) {
    t.equal(octetStringContent(Buffer.from(none, 'hex')), undefined, none);
  }
});
