import { createHash } from 'node:crypto';
import { isSignedBerBody } from '../src/policy/ber-body.js';
import { recogniseUse } from '../src/policy/tls-message.js';
import { testPolicy } from '../test/fixtures/policy.js';
import {
  algorithm,
  certificateOf,
  csr,
  EVERY_GROUP,
  ecKey,
  tls12Client,
  tls12Server,
  tls13,
} from '../test/tls-messages.js';

/**
 * What does it cost to recognise a message? Its floor is SHA-256 over the same bytes, which the service computes in any case.
 * Run: npx tsx bench/policy.ts
 */
const own = ecKey();
const ECDSA = algorithm('ecdsa_secp256r1_sha256');
const ROUNDS = 20_000;

const messages: Record<string, Buffer> = {
  'tls13-server': tls13('server'),
  'tls12-server x25519': tls12Server('x25519'),
  'tls12-server secp256r1': tls12Server('secp256r1'),
  'tls12-server secp384r1': tls12Server('secp384r1'),
  'tls12-server secp521r1': tls12Server('secp521r1'),
  'tls12-client': tls12Client(),
  csr: csr(own.privateKey, '-subj', '/CN=www.example.com', '-addext', 'subjectAltName=DNS:www.example.com'),
  'refused: certificate': certificateOf(own.privateKey),
  'refused: 16 KiB': Buffer.alloc(16_384, 'x'),
};

function microseconds(work: () => unknown): number {
  for (let i = 0; i < ROUNDS; i++) work();
  const started = performance.now();
  for (let i = 0; i < ROUNDS; i++) work();
  return ((performance.now() - started) * 1_000) / ROUNDS;
}

console.log('message                     bytes   recognise µs   SHA-256 µs');
for (const [name, message] of Object.entries(messages)) {
  const cost = microseconds(() => recogniseUse(message, ECDSA, own.publicKey, EVERY_GROUP));
  const floor = microseconds(() => createHash('sha256').update(message).digest());
  console.log(
    `${name.padEnd(24)}${String(message.length).padStart(9)}${cost.toFixed(2).padStart(15)}${floor.toFixed(2).padStart(13)}`,
  );
}

/** The whole decision: once as plain as a grant can be, once with all that it may add. `clock` stands still, so the rate must not run out. */
const ADDED = {
  schemes: [ECDSA.name],
  rate_per_s: 1_000_000,
  burst: 1_000_000,
  expires: '2100-01-01T00:00:00Z',
  duplicates: 'refuse',
};
const served = { key: own.publicKey, label: 'www', id: '0a', certificateChain: [], tokens: ['main'] };
/** Each message is another one to the policy, as handshakes are. */
const hashes = Array.from({ length: 2 * ROUNDS }, (_, i) => createHash('sha256').update(`${i}`).digest('hex'));

console.log('\ndecision                              recognise µs   plain grant µs   with all µs');
for (const name of ['tls13-server', 'tls12-server x25519']) {
  const input = messages[name] as Buffer;
  const recognised = microseconds(() => recogniseUse(input, ECDSA, own.publicKey, EVERY_GROUP));
  const [plain, all] = [{}, ADDED].map((added) => {
    const grants = [{ principal: 'p', keys: ['*'], uses: ['tls13-server', 'tls12-server'], ...added }];
    const { policy, clock } = testPolicy({ principals: [{ name: 'p', socket: { role: 'r' } }], grants });
    let i = 0;
    return microseconds(() => {
      clock.ms += 0.1;
      const inputSha256 = hashes[i++] as string;
      return policy.decide('p', served, {
        algorithm: ECDSA,
        input,
        inputIsDigest: false,
        inputSha256,
        attemptId: inputSha256.slice(32),
      });
    });
  });
  console.log(
    `${name.padEnd(32)}${recognised.toFixed(2).padStart(18)}${plain?.toFixed(2).padStart(17)}${all?.toFixed(2).padStart(14)}`,
  );
}

/** How many honest randoms are refused because they look like a signed ASN.1 body: measured given the first two bytes. */
function falseAlarms(length: number, head: readonly number[], trials: number): number {
  const message = Buffer.alloc(length);
  let alarms = 0;
  for (let i = 0; i < trials; i++) {
    for (let at = 0; at < length; at += 4)
      message.writeUInt32LE((Math.random() * 2 ** 32) >>> 0, Math.min(at, length - 4));
    message.set(head);
    message.set(length === 100 ? [3, 0, 0x1d, 0x20] : [3, 0, 0x17, 0x41, 4], 64);
    if (isSignedBerBody(message)) alarms++;
  }
  return (alarms / trials) * 256 ** -head.length;
}
const TRIALS = 2_000_000;
console.log(
  `refused by chance: x25519 ${falseAlarms(100, [0x30, 98], TRIALS).toExponential(1)} definite, ` +
    `${falseAlarms(100, [0x30, 0x80], TRIALS).toExponential(1)} indefinite; set ${falseAlarms(100, [0x31, 98], TRIALS).toExponential(1)}; ` +
    `secp256r1 ${falseAlarms(133, [0x30, 0x81, 130], TRIALS).toExponential(1)}`,
);
