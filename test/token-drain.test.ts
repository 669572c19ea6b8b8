import t from 'tap';
import { SignatureScheme } from '../src/gen/signet/v1/sign.js';
import { signet } from './fixtures/command-line.js';
import { createFaultyToken, type FaultyToken } from './fixtures/faulty-token.js';
import { knownKey } from './fixtures/known-key.js';
import { MESSAGE, recordLoad } from './fixtures/recorded-load.js';
import { startService } from './fixtures/running-service.js';
import { SocketClient } from './fixtures/socket-client.js';
import { watchTokens } from './fixtures/token-status.js';

const SIGNERS_EACH = 2;
const TOKEN_US = 5_000;

t.test('a token is drained for maintenance under load: no request fails, and it can be put back', async (t) => {
  const [shared, lonely] = [knownKey(), knownKey()];
  const first = createFaultyToken({
    label: 'first',
    keys: [
      { label: 'shared', pem: shared.pem },
      { label: 'lonely', pem: lonely.pem },
    ],
  });
  const second = createFaultyToken({ label: 'second', keys: [{ label: 'shared', pem: shared.pem }] });
  for (const token of [first, second]) t.teardown(() => token.remove());
  const tokens = [first, second].map((token) => token.tokenConfig({ signers: SIGNERS_EACH }));
  const service = await startService(t, first, { more: { tokens } });
  const watch = watchTokens(t, service);
  for (const name of ['first', 'second']) await watch.is(name, 'SERVING', SIGNERS_EACH);
  for (const token of [first, second]) token.order({ latencyUs: TOKEN_US });
  const command = (...words: string[]) => signet(['--config', service.configFile, 'token', ...words]);
  const client = await SocketClient.hello(service.webSocket);
  t.teardown(() => client.close());
  let id = 1;
  const signLonely = async () => {
    client.sign(++id, { spkiSha256: lonely.spkiSha256, scheme: P256, timeoutUs: 5_000_000 });
    return (await client.answer(id)).body;
  };
  const load = await recordLoad(t, service, { callers: 6, timeoutMs: 5_000, spkiSha256: shared.spkiSha256 });
  await load.more(100);
  t.ok(signatures(first) > 0 && signatures(second) > 0, 'both sign');

  t.match(await command('drain', 'first'), { code: 0, stderr: /nobody is logged in/ });
  t.match(await watch.of('first'), { state: 'DRAINED' });
  const before = signatures(first);
  await load.more(200);
  t.equal(signatures(first), before, 'nothing reaches it');
  t.match(await signLonely(), {
    $case: 'error',
    value: { message: /out of use \(first is drained\); see signet status/ },
  });
  const onlyKey = service.attempts().filter(({ outcome }) => outcome === 'unavailable');
  t.match(onlyKey, [{ label: 'lonely' }]);

  t.match(await command('undrain', 'first'), { code: 0 });
  await watch.is('first', 'SERVING', SIGNERS_EACH);
  await load.more(100);
  t.ok(signatures(first) > before, 'it signs again');
  t.match(await signLonely(), { $case: 'sign' });
  await load.stop();
  t.same(
    load.answers.flatMap(({ error }) => error ?? []),
    [],
    `${load.answers.length} asked, none failed`,
  );
  t.ok(load.answers.every(({ signature }) => signature && shared.verifies(MESSAGE, signature)));
  t.match(await command('drain', 'third'), {
    code: 2,
    stderr: /expected one of the tokens first, second; "third" came/,
  });
});

const P256 = SignatureScheme.SIGNATURE_SCHEME_ECDSA_SECP256R1_SHA256;

function signatures(token: FaultyToken): number {
  return token.counters('C_Sign').calls;
}
