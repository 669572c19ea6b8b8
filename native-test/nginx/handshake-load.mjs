// Makes fresh, verified TLS handshakes one after the other on several lanes until SIGTERM, and keeps the count in a file.
//
//     handshake-load.mjs PORT CA-FILE COUNT-FILE
//
// COUNT-FILE is replaced every few milliseconds by one line of JSON: {"ok":…,"failed":…,"slowestMs":…,"errors":[…]}.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:tls';

const LANES = 4;
const HOSTS = ['ec.signet.test', 'rsa.signet.test'];
const VERSIONS = ['TLSv1.2', 'TLSv1.3'];
/** Longer than any deadline of the client library: a handshake that takes this long has failed. */
const HANDSHAKE_LIMIT_MS = 5_000;
const ERRORS_KEPT = 10;
const COUNT_EVERY_MS = 20;

const [port, caFile, countFile] = process.argv.slice(2);
const ca = readFileSync(caFile);
const count = { ok: 0, failed: 0, slowestMs: 0, errors: [] };
let going = true;
process.on('SIGTERM', () => {
  going = false;
});

const counting = setInterval(writeCount, COUNT_EVERY_MS);
await Promise.all(Array.from({ length: LANES }, (_, lane) => run(lane)));
clearInterval(counting);
writeCount();

async function run(lane) {
  for (let turn = lane; going; turn += 1) {
    const started = performance.now();
    try {
      await handshake(HOSTS[turn % 2], VERSIONS[Math.floor(turn / 2) % 2]);
      count.ok += 1;
      count.slowestMs = Math.max(count.slowestMs, Math.round(performance.now() - started));
    } catch (error) {
      count.failed += 1;
      if (count.errors.length < ERRORS_KEPT)
        count.errors.push(`${new Date().toISOString()} ${error.code ?? ''} ${error.message}`);
    }
  }
}

function handshake(servername, version) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername, ca, minVersion: version, maxVersion: version });
    const late = setTimeout(
      () => socket.destroy(new Error(`no handshake in ${HANDSHAKE_LIMIT_MS} ms`)),
      HANDSHAKE_LIMIT_MS,
    );
    socket.once('secureConnect', () => {
      resolve();
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => {
      clearTimeout(late);
      reject(new Error('closed before the handshake was done'));
    });
  });
}

function writeCount() {
  writeFileSync(`${countFile}.new`, `${JSON.stringify(count)}\n`);
  renameSync(`${countFile}.new`, countFile);
}
