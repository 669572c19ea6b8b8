import { createPublicKey, type KeyObject, verify, X509Certificate } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import {
  type ConnectionOptions,
  createServer as createTlsServer,
  type TlsOptions,
  connect as tlsConnect,
} from 'node:tls';
import t from 'tap';
import { algorithm, certificateOf, ecKey } from '../../test/tls-messages.js';
import { publicKeyFromKeyObject } from '../public-key.js';
import { TLS12_GROUPS_DEFAULT } from '../tls-groups.js';
import { recogniseUse } from './tls-message.js';

/** TLS 1.2 sends its handshake in the clear, so what both sides of OpenSSL signed can be taken from the wire and verified. */

const server = ecKey();
const client = ecKey();
const GROUPS = new Set(TLS12_GROUPS_DEFAULT);
const SERVER_HELLO_DONE = 14;
const CERTIFICATE_VERIFY = 15;

const CODE = { X25519: 29, 'P-256': 23, 'P-384': 24 };

for (const [group, code] of Object.entries(CODE)) {
  t.test(`what OpenSSL signs in a TLS 1.2 handshake over ${group} is recognised`, async (t) => {
    const { toServer, toClient } = await recordHandshake(group);
    const fromClient = messagesOf(toServer);
    const flight = messagesOf(toClient);
    const fromServer = flight.slice(0, flight.findIndex(([type]) => type === SERVER_HELLO_DONE) + 1);
    const [hello, certificate, keyExchange, certificateVerify] = fromClient as [Buffer, Buffer, Buffer, Buffer];
    t.equal(certificateVerify[0], CERTIFICATE_VERIFY);

    const transcript = Buffer.concat([hello, ...fromServer, certificate, keyExchange]);
    t.ok(verifies(client.privateKey, transcript, certificateVerify.subarray(8)), 'the client signed it');
    t.equal(useOf(transcript), 'tls12-client');

    const serverKeyExchange = fromServer.find(([type]) => type === 12) as Buffer;
    const parameters = serverKeyExchange.subarray(4, 8 + (serverKeyExchange[7] as number));
    t.equal(parameters[2], code);
    const signed = Buffer.concat([hello.subarray(6, 38), (fromServer[0] as Buffer).subarray(6, 38), parameters]);
    const signature = serverKeyExchange.subarray(4 + parameters.length + 4);
    t.ok(verifies(server.privateKey, signed, signature), 'the server signed it');
    t.equal(useOf(signed), 'tls12-server');
  });
}

function useOf(message: Buffer) {
  return recogniseUse(message, algorithm('ecdsa_secp256r1_sha256'), publicKeyFromKeyObject(server.privateKey), GROUPS);
}

function verifies(privateKey: KeyObject, message: Buffer, signature: Buffer): boolean {
  return verify('sha256', message, createPublicKey(privateKey), signature);
}

/** A handshake through a proxy that keeps what each side sent. */
async function recordHandshake(group: string): Promise<{ toServer: Buffer; toClient: Buffer }> {
  // P-256 stays in the list because the certificates' keys are of it.
  const ecdhCurve = group === 'P-256' ? group : `${group}:P-256`;
  const authority = new X509Certificate(certificateOf(client.privateKey)).toString();
  const serverOptions: TlsOptions = {
    ...identity(server.privateKey),
    maxVersion: 'TLSv1.2',
    ecdhCurve,
    requestCert: true,
    ca: authority,
  };
  const toServer: Buffer[] = [];
  const toClient: Buffer[] = [];
  const tls = createTlsServer({ ...serverOptions, rejectUnauthorized: false }, (socket) => socket.end());
  const proxy = createServer((socket) =>
    tap(socket, connect((tls.address() as AddressInfo).port, '127.0.0.1'), toServer, toClient),
  );
  await Promise.all([listening(tls), listening(proxy)]);
  try {
    const options: ConnectionOptions = { ...identity(client.privateKey), ecdhCurve, rejectUnauthorized: false };
    await new Promise<void>((resolve, reject) => {
      const socket = tlsConnect((proxy.address() as AddressInfo).port, '127.0.0.1', options);
      socket
        .on('error', reject)
        .on('close', () => resolve())
        .resume();
    });
  } finally {
    proxy.close();
    tls.close();
  }
  return { toServer: Buffer.concat(toServer), toClient: Buffer.concat(toClient) };
}

function identity(privateKey: KeyObject): { key: string; cert: string } {
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' }) as string;
  return { key, cert: new X509Certificate(certificateOf(privateKey)).toString() };
}

function tap(from: Socket, to: Socket, sent: Buffer[], received: Buffer[]): void {
  from.on('data', (data: Buffer) => sent.push(data)).pipe(to);
  to.on('data', (data: Buffer) => received.push(data)).pipe(from);
  from.on('error', () => to.destroy());
  to.on('error', () => from.destroy());
}

function listening(server: ReturnType<typeof createServer>): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}

/** The handshake messages in the records before the first of another type, which is ChangeCipherSpec. */
function messagesOf(stream: Buffer): Buffer[] {
  const fragments: Buffer[] = [];
  for (let at = 0; stream[at] === 22; at += 5 + stream.readUInt16BE(at + 3)) {
    fragments.push(stream.subarray(at + 5, at + 5 + stream.readUInt16BE(at + 3)));
  }
  const handshake = Buffer.concat(fragments);
  const messages: Buffer[] = [];
  for (let at = 0; at < handshake.length; at += 4 + handshake.readUIntBE(at + 1, 3)) {
    messages.push(handshake.subarray(at, at + 4 + handshake.readUIntBE(at + 1, 3)));
  }
  return messages;
}
