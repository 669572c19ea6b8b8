import { execFileSync } from 'node:child_process';
import { createServer as createPlainServer, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createSecureContext, TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { certificateOf, ecKey } from '../../test/tls-messages.js';
import type { Load } from '../experiment.js';
import { runLoad, words } from '../program.js';
import { visit } from './visits.js';

/** Tests of visits.c and what starts it, against servers of our own, which can stall. */
const BENCH = join(import.meta.dirname, '..');
const PROGRAM = join(BENCH, '../build/bench/visits');
const WISH = { seconds: 0.5, warmup: 0.1 };
const WATCH = { begin: () => undefined, end: () => undefined };

t.before(() => {
  execFileSync('make', ['--silent', '-C', BENCH, PROGRAM]);
});

t.test('an open loop shows a stall in every page that was due meanwhile', async (t) => {
  const port = await pages(t, { stallAt: 100, stallMs: 200 });
  const measured = await runLoad(PROGRAM, words({ ...WISH, port, version: 'plain', rate: 400 }), WATCH);
  t.ok(measured.count >= 199 && measured.count <= 201, `${measured.count} in 0.5 s of 400 a second`);
  t.ok(measured.max_us > 180_000, `slowest ${measured.max_us}`);
  // 80 of the 200 were due in the stall: a closed loop of one would have seen it once.
  t.ok(measured.p90_us > 100_000, `p90 ${measured.p90_us}`);
  t.type(measured.late_p99_us, 'number');
});

t.test('a page that is none ends the load', async (t) => {
  const port = await pages(t, { status: 502 });
  const options = words({ ...WISH, port, version: 'plain', rate: 100 });
  await t.rejects(runLoad(PROGRAM, options, WATCH), /a page failed: expected an answer of HTTP\/1\.1 200/);
});

t.test('a closed loop has so many handshakes under way and no more', async (t) => {
  const server = await handshakes(t, 5);
  const options = words({ ...WISH, port: server.port, version: '1.3', concurrent: 4 });
  const measured = await runLoad(PROGRAM, options, WATCH);
  // The server sees their ends a little later than the client.
  t.ok(server.most >= 4 && server.most <= 8, `${server.most} at once`);
  t.ok(measured.count > 10);
});

for (const version of ['1.2', '1.3'] as const) {
  t.test(`handshakes of TLS ${version} are whole ones, as the server sees them`, async (t) => {
    const server = await handshakes(t, 0, version);
    const options = words({ ...WISH, port: server.port, version, concurrent: 4 });
    const measured = await runLoad(PROGRAM, options, WATCH);
    // Those of the warm-up and those that are under way at the end are not counted.
    t.ok(measured.count > 10 && server.secure >= measured.count, `${measured.count}, the server's ${server.secure}`);
    t.equal(server.cipher, version === '1.3' ? 'TLS_AES_128_GCM_SHA256' : 'ECDHE-ECDSA-AES128-GCM-SHA256');
  });

  t.test(`a handshake that a server of another version refuses than ${version} ends the load`, async (t) => {
    const { port } = await handshakes(t, 0, version === '1.2' ? '1.3' : '1.2');
    const options = words({ ...WISH, port, version, concurrent: 4 });
    await t.rejects(runLoad(PROGRAM, options, WATCH), /a handshake failed: (TLS|the server)/);
  });
}

t.test('handshakes at a constant rate, and pages meanwhile', async (t) => {
  const ports = { 'ec 1.3': (await handshakes(t, 20)).port, plain: await pages(t) };
  // So that what ends a little later on a busy machine is a small part of it.
  const sample = await visit(ports, LOAD, 3, WATCH);
  t.ok(sample.count >= 29 && sample.count <= 31, `${sample.count} in 3 s of 10 a second`);
  t.ok(sample.p50_us > 20_000);
  const { page_us = 0, page_p99_us = 0, page_max_us = 0 } = sample;
  t.ok(0 < page_us && page_us <= page_p99_us && page_p99_us <= page_max_us);
});

t.test('a worker that does not keep up with the handshakes is no measurement', async (t) => {
  const ports = { 'ec 1.3': (await handshakes(t, 400)).port, plain: await pages(t) };
  await t.rejects(visit(ports, LOAD, 0.5, WATCH), /the worker makes [\d.]+ handshakes\/s of 10 that are begun/);
});

const LOAD: Load & { by: 'handshakes' } = {
  by: 'handshakes',
  server: 'nginx-file',
  key: 'ec',
  version: '1.3',
  // No more than a tenth of a processor makes.
  pace: { perSecond: 10 },
  pagesPerSecond: 50,
};

/** Answers nothing for so long from the nth page on; then all at once. */
function pages(t: Test, { stallAt = Number.NaN, stallMs = 0, status = 200 } = {}): Promise<number> {
  let held: ServerResponse[] | undefined;
  let asked = 0;
  const flush = () => {
    for (const response of held ?? []) response.end();
    held = undefined;
  };
  const server = createPlainServer((_request, response) => {
    asked += 1;
    if (asked === stallAt) {
      held = [];
      setTimeout(flush, stallMs);
    }
    response.writeHead(status, { connection: 'close' });
    if (held) held.push(response);
    else response.end();
  });
  return listening(t, server);
}

interface Handshakes {
  readonly port: number;
  /** How many connections were open at once at most. */
  readonly most: number;
  /** Handshakes that came to their end, and what the last agreed on. */
  readonly secure: number;
  readonly cipher: string;
}

/** Handshakes that begin so late. */
async function handshakes(t: Test, delayMs: number, version: '1.2' | '1.3' = '1.3'): Promise<Handshakes> {
  const { privateKey } = ecKey();
  const cert = `-----BEGIN CERTIFICATE-----\n${certificateOf(privateKey).toString('base64')}\n-----END CERTIFICATE-----\n`;
  const tlsVersion = `TLSv${version}` as const;
  const secureContext = createSecureContext({
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }),
    cert,
    minVersion: tlsVersion,
    maxVersion: tlsVersion,
  });
  const open = new Set<Socket>();
  let most = 0;
  let secure = 0;
  let cipher = '';
  const server = createServer((socket) => {
    open.add(socket);
    most = Math.max(most, open.size);
    socket.once('close', () => open.delete(socket)).on('error', () => undefined);
    setTimeout(() => {
      const tls = new TLSSocket(socket, { isServer: true, secureContext }).on('error', () => undefined);
      tls.on('secure', () => {
        secure += 1;
        cipher = tls.getCipher().name;
      });
    }, delayMs);
  });
  const port = await listening(t, server);
  return {
    port,
    get most() {
      return most;
    },
    get secure() {
      return secure;
    },
    get cipher() {
      return cipher;
    },
  };
}

async function listening(t: Test, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}
