import { test } from 'tap';
import { FAILURES_IN_A_ROW } from './breaker.js';
import { KeyBreakers } from './key-breakers.js';

test('a key that fails while others sign is kept away, and the token is blamed for its first failure only', async (t) => {
  const keys = new KeyBreakers();
  const blamed = Array.from({ length: FAILURES_IN_A_ROW }, () => {
    const whose = keys.failed('bad');
    keys.succeeded('good');
    return whose;
  });
  t.same(blamed, ['token', ...Array(FAILURES_IN_A_ROW - 2).fill('key'), 'opens']);
  t.ok(keys.isOpen('bad'));
  t.notOk(keys.isOpen('good'));
});

test('a token that fails with every key is to blame for all of it', async (t) => {
  const keys = new KeyBreakers();
  for (let n = 0; n < 10; n++) t.same([keys.failed('one'), keys.failed('other')], ['token', 'token']);
});

test('a key that fails alone, with no other in use, may be the fault of the token, until that has shown that it signs', async (t) => {
  const keys = new KeyBreakers();
  for (let n = 0; n < 3; n++) t.equal(keys.failed('only'), 'token');
  keys.tokenSigned();
  t.equal(keys.failed('only'), 'opens');
});

test('on trial a key that fails is kept away at once, one that signs is as before', async (t) => {
  const keys = new KeyBreakers();
  const fail = () => {
    keys.tokenSigned();
    return keys.failed('bad');
  };
  while (fail() !== 'opens');
  keys.tryAgain('bad');
  t.notOk(keys.isOpen('bad'));
  t.equal(fail(), 'opens');
  keys.tryAgain('bad');
  keys.succeeded('bad');
  t.equal(keys.failed('bad'), 'token');
});
