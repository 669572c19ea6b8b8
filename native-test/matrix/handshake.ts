/** Both sides of a handshake as node makes them: the client of servers under test, and the server of clients under test. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type ConnectionOptions, connect, type SecureVersion, type TLSSocket } from 'node:tls';
import type { KeyKind, Way } from './cells.js';
import type { Site } from './site.js';

const HANDSHAKE_MS = 15_000;

export interface Handshake {
  readonly reused: boolean;
  /** What the server stapled. */
  readonly ocsp: Buffer | undefined;
  /** The ticket, if it was asked for. */
  readonly session: Buffer | undefined;
}

export interface Visit extends ConnectionOptions {
  readonly way: Way;
  /** What the service sees; else the use of that version's servers. */
  readonly use?: string;
  /** Asks for a stapled answer; node's types do not know it. */
  readonly requestOCSP?: boolean;
  /** Waits for a ticket, which in TLS 1.3 comes after the handshake. */
  readonly wantsTicket?: boolean;
}

/** Shakes hands with the server; throws unless it has the certificate of that key, by the CA, in that version. */
export function visit(site: Site, port: number, kind: KeyKind, servername: string, options: Visit): Promise<Handshake> {
  const version = versionOf(options.way);
  const { way: _, use: _use, wantsTicket, ...more } = options;
  const bounds = { minVersion: version, maxVersion: version };
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername, ca: readFileSync(site.ca), ...bounds, ...more });
    const late = setTimeout(() => socket.destroy(new Error(`no handshake in ${HANDSHAKE_MS} ms`)), HANDSHAKE_MS);
    let isDone = false;
    let [ocsp, session]: (Buffer | undefined)[] = [];
    const finish = (): void => {
      clearTimeout(late);
      resolve({ reused: socket.isSessionReused(), ocsp, session });
      socket.destroy();
    };
    socket.on('OCSPResponse', (response) => {
      ocsp = response ?? undefined;
    });
    socket.on('session', (ticket) => {
      session = ticket;
      if (wantsTicket && isDone) finish();
    });
    socket.once('secureConnect', () => {
      isDone = true;
      const wrong = whatIsWrong(socket, site.certificate(kind), version);
      if (wrong) socket.destroy(new Error(wrong));
      else if (!wantsTicket || session) finish();
    });
    socket.once('error', reject);
    socket.once('close', () => {
      clearTimeout(late);
      reject(new Error('closed before the handshake was done'));
    });
    socket.resume();
  });
}

function whatIsWrong(socket: TLSSocket, certificateFile: string, version: string): string | undefined {
  if (socket.getProtocol() !== version) return `expected ${version}; ${socket.getProtocol()} came`;
  const expected = new X509Certificate(readFileSync(certificateFile));
  // A resumed session need not show it.
  const shown = socket.getPeerX509Certificate();
  if (!shown && socket.isSessionReused()) return undefined;
  return shown?.fingerprint256 === expected.fingerprint256 ? undefined : `another certificate came: ${shown?.subject}`;
}

export function versionOf(way: Way): SecureVersion {
  return way === '1.2' ? 'TLSv1.2' : 'TLSv1.3';
}

export function serverUse(way: Way): string {
  return way === '1.2' ? 'tls12-server' : 'tls13-server';
}

export function clientUse(way: Way): string {
  return way === '1.2' ? 'tls12-client' : 'tls13-client';
}

/** A handshake for which the service signs. */
export async function visitSigned(
  site: Site,
  port: number,
  kind: KeyKind,
  servername: string,
  options: Visit,
): Promise<Handshake> {
  let made: Handshake | undefined;
  await site.signs(kind, options.use ?? serverUse(options.way), async () => {
    made = await visit(site, port, kind, servername, options);
  });
  return made as Handshake;
}

/** Two handshakes, the second by the first one's ticket, for which nothing is signed. */
export async function resumes(site: Site, port: number, kind: KeyKind, servername: string, way: Way): Promise<void> {
  const { session } = await visitSigned(site, port, kind, servername, { way, wantsTicket: true });
  if (!session) throw new Error('no ticket came');
  const before = site.signatures(kind, serverUse(way));
  const { reused } = await visit(site, port, kind, servername, { way, session });
  if (!reused) throw new Error('the ticket was not taken');
  if (site.signatures(kind, serverUse(way)) !== before) throw new Error('a signature was made for a resumed session');
}

/** What a server that demands a certificate saw: its answer to every request, as JSON. */
export interface Seen {
  readonly authorized: boolean;
  readonly subject: string;
  readonly protocol: string;
  readonly reused: boolean;
}

export interface Upstream {
  readonly port: number;
  close(): void;
}

/** An HTTPS server of one version with a genuine key, which lets in only who has a certificate by the CA. */
export async function demandingServer(site: Site, way: Way): Promise<Upstream> {
  const version = versionOf(way);
  const server = createServer({
    key: readFileSync(site.file('genuine.key')),
    cert: readFileSync(site.file('genuine.crt')),
    ca: readFileSync(site.ca),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: version,
    maxVersion: version,
  });
  server.on('request', (request, response) => {
    const socket = request.socket as TLSSocket;
    const seen: Seen = {
      authorized: socket.authorized,
      subject: String(socket.getPeerCertificate().subject?.CN ?? ''),
      protocol: socket.getProtocol() ?? '',
      reused: socket.isSessionReused(),
    };
    response.end(JSON.stringify(seen));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Throws unless the server saw the certificate of that key. */
export function wasSeen(answer: string, kind: KeyKind, way: Way): Seen {
  const [json] = /\{"authorized"[^}]*\}/.exec(answer) ?? [];
  const seen = json === undefined ? undefined : (JSON.parse(json) as Seen);
  if (seen?.authorized && seen.subject === `${kind}.signet.test` && seen.protocol === versionOf(way)) return seen;
  throw new Error(`expected ${kind}.signet.test over ${versionOf(way)}; the server saw ${answer.slice(0, 2000)}`);
}
