// Tells what the lines of the audit file on stdin say about one handshake. `demo-account.mjs LABEL USE`: exits 1 unless one
// attempt with this key and use ended well.
import { readFileSync } from 'node:fs';

const [label, use] = process.argv.slice(2);
const attempts = readFileSync(0, 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line))
  .filter((record) => record.outcome !== undefined);

for (const attempt of attempts) console.log(account(attempt));
const done = attempts.some((attempt) => attempt.label === label && attempt.use === use && attempt.outcome === 'ok');
if (!done) {
  console.log(`    FAILED: the audit file has no signature with ${label} for ${use}`);
  process.exitCode = 1;
}

function account({ principal, caller, label, key, use, scheme, outcome, queue_us, token_us }) {
  return [
    `who asked  ${principal}: ${caller}${programOf(caller)}`,
    `which key  ${label}, SHA-256 of its public key ${key.slice(0, 16)}…`,
    `for what   ${use || 'a use that is not granted'}, ${scheme}: ${outcome}`,
    `how long   ${queue_us} µs in the queue, ${token_us} µs in the token`,
  ]
    .map((line) => `    ${line}`)
    .join('\n');
}

function programOf(caller) {
  const pid = /pid=(\d+)/.exec(caller)?.[1];
  try {
    return pid ? `, ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()}` : '';
  } catch {
    return '';
  }
}
