import { generateKeyPairSync } from 'node:crypto';
import { test } from 'tap';
import { mergeKeys, tokenKeysOf } from './token-keys.js';

const spki = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .publicKey.export({ format: 'der', type: 'spki' })
    .toString('base64');
const [one, two] = [spki(), spki()];
const CERTIFICATE = Buffer.from('certificate').toString('base64');

test('a key on two tokens is one key, with the first name and the first certificates that there are', async (t) => {
  const left = tokenKeysOf([{ spki: one, label: 'left', id: '01', certificateChain: [] }]);
  const right = tokenKeysOf([
    { spki: two, label: 'other', id: '02', certificateChain: [] },
    { spki: one, label: 'right', id: '03', certificateChain: [CERTIFICATE] },
  ]);
  const keys = mergeKeys([
    { name: 'a', keys: left },
    { name: 'b', keys: right },
  ]);
  t.equal(keys.length, 2);
  const shared = keys.find((key) => key.label === 'left');
  t.match(shared, { id: '01', tokens: ['a', 'b'] });
  t.equal(Buffer.from(shared?.certificateChain[0] ?? []).toString(), 'certificate');
  t.match(
    keys.find((key) => key.label === 'other'),
    { tokens: ['b'] },
  );
});

test('the keys come in the order of their identities', async (t) => {
  const keys = tokenKeysOf(
    [one, two, spki(), spki()].map((key) => ({ spki: key, label: 'x', id: '', certificateChain: [] })),
  );
  const order = mergeKeys([{ name: 'a', keys }]).map(({ key }) => key.spkiSha256);
  t.same(order, [...order].sort());
});

test('a report that says the same is known, another is not', async (t) => {
  const report = [{ spki: one, label: 'x', id: '01', certificateChain: [] }];
  t.ok(tokenKeysOf(report).isOf(structuredClone(report)));
  t.notOk(tokenKeysOf(report).isOf([{ spki: one, label: 'y', id: '01', certificateChain: [] }]));
});

test('a report with a key that is none is refused', async (t) => {
  t.throws(() => tokenKeysOf([{ spki: 'AAAA', label: 'x', id: '', certificateChain: [] }]), {
    code: 'invalid_argument',
  });
});
