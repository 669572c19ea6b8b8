/** The front of bench/path/front.ts: one transport, a Signing that costs nothing; tells its CPU time when asked. */
import { pino } from 'pino';
import type { Outcome } from '../../src/sign-job.js';
import type { Signing } from '../../src/signing.js';
import { limitsWith } from '../../test/fixtures/limits.js';

const [transport, path = ''] = process.argv.slice(2);
const outcome: Outcome = { ok: true, signature: Buffer.alloc(71, 0x30), queueUs: 120, tokenUs: 110 };
let waiting: ((outcome: Outcome) => void)[] = [];

const signing: Signing = {
  identify: (caller) => ({ caller, principal: 'bench', description: 'bench' }),
  sign: (_client, _request, answer) => {
    if (waiting.push(answer) === 1) setImmediate(answerAll);
    return () => undefined;
  },
  keysOf: () => [],
};

function answerAll(): void {
  const answers = waiting;
  waiting = [];
  for (const answer of answers) answer(outcome);
}

const shared = {
  limits: limitsWith(),
  signing,
  log: pino({ level: 'silent' }),
  peerCredentials: () => ({ uid: 0, gid: 0, pid: 1 }),
};
const role = { path, mode: '0600', role: 'bench' };
if (transport === 'socket') {
  const { startSocketTransport } = await import('../../src/transport/socket/socket-transport.js');
  await startSocketTransport({ ...shared, sockets: [role] });
} else {
  const { startGrpcTransport } = await import('../../src/transport/grpc/grpc-transport.js');
  const health = { serving: () => true, onChange: () => () => undefined };
  await startGrpcTransport({ ...shared, unix: [role], tcp: [], health });
}
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system, rss: process.memoryUsage().rss });
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
