import t from 'tap';
import { describeKeyName, parseKeyName } from './key-name.js';

t.test('a key is named by label, id or SPKI SHA-256; a bare word is a label', async (t) => {
  t.same(parseKeyName('www'), { by: 'label', value: 'www' });
  t.same(parseKeyName('label:id:1'), { by: 'label', value: 'id:1' });
  t.same(parseKeyName('id:0A'), { by: 'id', value: '0a' });
  t.same(parseKeyName(`spki:${'AB'.repeat(32)}`), { by: 'spki', value: 'ab'.repeat(32) });
  t.same(parseKeyName('other:x'), { by: 'label', value: 'other:x' });
});

t.test('a name that can not be is refused with what was expected', async (t) => {
  for (const bad of ['', 'label:', 'id:', 'id:0', 'id:xx', 'spki:00', 'ü'.repeat(129)]) {
    t.throws(() => parseKeyName(bad), { code: 'invalid_argument', message: /expected/ }, bad);
  }
});

t.test('a name reads back as it is typed', async (t) => {
  t.equal(describeKeyName(parseKeyName('id:0a')), 'id:0a');
  t.equal(describeKeyName(parseKeyName('a b')), '"a b"');
});
