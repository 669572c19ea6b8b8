import t from 'tap';
import { SignetError } from './errors.js';
import { createLog, setLogLevel } from './log.js';

function logged(write: (log: ReturnType<typeof createLog>) => void): { text: string; lines: Record<string, any>[] } {
  let text = '';
  write(createLog('debug', { write: (line) => (text += line) }));
  return {
    text,
    lines: text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line)),
  };
}

const SECRET = 'hunter2-hunter2';

t.test('a secret field is redacted at any depth, in children and under any spelling', async (t) => {
  const { text, lines } = logged((log) => {
    log.info({ pin: SECRET, token: { user_pin: SECRET, deep: { Authorization: SECRET } } }, 'hello');
    log.child({ pin: SECRET, pinFile: '/p' }).warn({ list: [{ password: SECRET }] });
    log.error({ input: Buffer.from(SECRET) });
  });
  t.notMatch(text, SECRET);
  t.equal(lines.length, 3);
  t.equal(lines[0]?.pin, '[redacted]');
  t.equal(lines[1]?.pinFile, '/p');
});

t.test('bytes, class instances and private keys in PEM are never shown', async (t) => {
  const pem = `-----BEGIN EC PRIVATE KEY-----\n${SECRET}`;
  const { text, lines } = logged((log) =>
    log.info({ bytes: Buffer.from(SECRET), map: new Map([[SECRET, 1]]), pem }, pem),
  );
  t.notMatch(text, SECRET);
  t.equal(lines[0]?.bytes, '[15 bytes]');
  t.equal(lines[0]?.map, '[Map]');
  t.equal(lines[0]?.msg, '[redacted]');
});

t.test('an error shows its code, its message and its causes, and nothing else that hangs on it', async (t) => {
  const cause = Object.assign(new Error('C_Sign failed'), { code: 5, request: { headers: SECRET } });
  const { text, lines } = logged((log) => {
    log.error({ err: new SignetError('token_failed', 'the token failed', { cause }) }, 'oops');
    log.error(new Error('bare'));
  });
  t.notMatch(text, SECRET);
  t.match(lines[0]?.err, { type: 'SignetError', code: 'token_failed', message: 'the token failed' });
  t.match(lines[0]?.err.cause, { message: 'C_Sign failed', code: 5, stack: /log\.test/ });
  t.match(lines[1]?.err, { message: 'bare', stack: /log\.test/ });
});

t.test('fields and messages are bounded', async (t) => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const { text, lines } = logged((log) =>
    log.info({ long: 'x'.repeat(1e6), list: Array(1e5).fill('y'), circular, big: 2n ** 64n }, 'z'.repeat(1e6)),
  );
  t.ok(text.length < 5_000, `${text.length} characters`);
  t.equal(lines[0]?.level, 'info');
  t.equal(lines[0]?.big, '18446744073709551616');
});

t.test('what is below the level is not written', async (t) => {
  let text = '';
  createLog('error', { write: (line) => (text += line) }).warn('quiet');
  t.equal(text, '');
});

t.test('a level that changes holds for children and for theirs', async (t) => {
  const { lines } = logged((log) => {
    const child = log.child({ part: 'x' });
    const grandchild = child.child({ signer: 1 });
    setLogLevel(log, 'error');
    for (const each of [log, child, grandchild]) each.info('too little');
    setLogLevel(log, 'trace');
    for (const each of [log, child, grandchild]) each.trace('enough');
  });
  t.same(
    lines.map(({ msg, part }) => [msg, part]),
    [
      ['enough', undefined],
      ['enough', 'x'],
      ['enough', 'x'],
    ],
  );
});
