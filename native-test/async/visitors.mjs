// Clients of all sorts, on several lanes until SIGTERM; the count is kept in a file.
//
//     visitors.mjs PORT CA-FILE COUNT-FILE [LANES] [ABORT-PERCENT]
//
// Each makes a fresh or a resumed handshake over TLS 1.2 or 1.3, verified, and asks for the page; or goes away before the handshake is
// done. What fails is excused if the file COUNT-FILE.trouble was there when it began or when it failed. COUNT-FILE is one line of JSON,
// replaced every few milliseconds: {"ok":…,"aborted":…,"excused":…,"failed":…,"errors":[…]}.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:tls';

const HOSTS = ['ec.signet.test', 'rsa.signet.test'];
const VERSIONS = ['TLSv1.2', 'TLSv1.3'];
const VISIT_LIMIT_MS = Number(process.env.VISIT_LIMIT_MS ?? 8_000);
const ABORT_WITHIN_MS = 120;
const RESUME_SHARE = 0.2;
const ERRORS_KEPT = 10;
const COUNT_EVERY_MS = 20;

const [port, caFile, countFile, lanes = '8', abortPercent = '0'] = process.argv.slice(2);
const ca = readFileSync(caFile);
const count = { ok: 0, aborted: 0, excused: 0, failed: 0, errors: [] };
const sessions = new Map();
let going = true;
process.on('SIGTERM', () => {
  going = false;
});

const counting = setInterval(writeCount, COUNT_EVERY_MS);
await Promise.all(Array.from({ length: Number(lanes) }, run));
clearInterval(counting);
writeCount();

async function run() {
  while (going) {
    const host = any(HOSTS);
    const version = any(VERSIONS);
    const abortAfterMs = Math.random() * 100 < Number(abortPercent) ? Math.random() * ABORT_WITHIN_MS : undefined;
    const beganInTrouble = isTrouble();
    try {
      count[await visit(host, version, abortAfterMs)] += 1;
    } catch (error) {
      if (beganInTrouble || isTrouble()) {
        count.excused += 1;
        continue;
      }
      count.failed += 1;
      const line = `${new Date().toISOString()} ${host} ${version} ${error.code ?? ''} ${error.message}`;
      if (count.errors.length < ERRORS_KEPT) count.errors.push(line);
    }
  }
}

function isTrouble() {
  return existsSync(`${countFile}.trouble`);
}

function visit(servername, version, abortAfterMs) {
  return new Promise((resolve, reject) => {
    const name = `${servername} ${version}`;
    const session = Math.random() < RESUME_SHARE ? sessions.get(name) : undefined;
    const options = { host: '127.0.0.1', port, servername, ca, session, minVersion: version, maxVersion: version };
    const socket = connect(options);
    const end = (outcome) => {
      socket.destroy();
      resolve(outcome);
    };
    const timers = [
      setTimeout(() => socket.destroy(new Error(`no page in ${VISIT_LIMIT_MS} ms`)), VISIT_LIMIT_MS),
      abortAfterMs === undefined ? undefined : setTimeout(end, abortAfterMs, 'aborted'),
    ];
    let page = '';
    socket.on('session', (received) => sessions.set(name, received));
    socket.once('secureConnect', () =>
      socket.write(`GET / HTTP/1.1\r\nHost: ${servername}\r\nConnection: close\r\n\r\n`),
    );
    socket.on('data', (data) => {
      page += data;
      if (page.includes('Hello from')) end('ok');
    });
    socket.once('error', reject);
    socket.once('close', () => {
      for (const timer of timers) clearTimeout(timer);
      reject(new Error(`closed before the page came: ${page.slice(0, 60)}`));
    });
  });
}

function any(list) {
  return list[Math.floor(Math.random() * list.length)];
}

function writeCount() {
  writeFileSync(`${countFile}.new`, `${JSON.stringify(count)}\n`);
  renameSync(`${countFile}.new`, countFile);
}
