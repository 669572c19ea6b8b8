import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { CertificateCaller } from '../../caller.js';
import type { Limits, TcpConfig } from '../../config/schema.js';
import { SignetError } from '../../errors.js';
import type { Listener } from '../unix-listener.js';
import { certificateNames } from './certificate-names.js';
import { readTlsFiles } from './tls-files.js';

export interface TlsListenerOptions {
  /** Read again whenever the files are. */
  readonly limits: Pick<Limits, 'hello_timeout_ms' | 'connections_max'>;
  readonly log: Logger;
}

export interface TlsListener extends Listener {
  /**
   * Reads the files anew and proves them; what it returns puts them into force for new connections. Those that there are stay.
   * Throws TlsFileError.
   */
  prepare(config: TcpConfig): () => void;
}

/**
 * Listens on TCP with mutual TLS: a caller without a certificate of the configured CA gets no further than the handshake.
 * No session is resumed, so that a caller's certificate is looked at on every connection.
 */
export async function listenTls(
  config: TcpConfig,
  options: TlsListenerOptions,
  onConnection: (socket: TLSSocket, caller: CertificateCaller) => void,
): Promise<TlsListener> {
  const server = createTlsServer(config, options);
  server.on('secureConnection', (socket) => {
    const caller = certificateCaller(socket);
    if (caller === undefined) socket.destroy();
    else onConnection(socket, caller);
  });
  server.on('tlsClientError', (error, socket) => {
    options.log.info(
      { remote: `${socket.remoteAddress}:${socket.remotePort}`, reason: error.message },
      'TLS handshake failed',
    );
  });
  await listen(server, config);
  const address = server.address() as { port: number };
  return {
    address: `${config.host}:${address.port}`,
    close: () => server.close(),
    prepare: (next) => {
      const context = readTlsFiles(next);
      return () => {
        server.setSecureContext(context);
        server.maxConnections = options.limits.connections_max;
      };
    },
  };
}

function createTlsServer(config: TcpConfig, options: TlsListenerOptions): Server {
  try {
    const server = createServer({
      ...readTlsFiles(config),
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['h2'],
      handshakeTimeout: options.limits.hello_timeout_ms,
    });
    server.maxConnections = options.limits.connections_max;
    return server;
  } catch (cause) {
    throw new SignetError(
      'invalid_argument',
      `expected a certificate, its key and a CA, in PEM, for ${config.host}:${config.port}; ${(cause as Error).message} came`,
      { cause },
    );
  }
}

function certificateCaller(socket: TLSSocket): CertificateCaller | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (!socket.authorized || certificate === undefined || socket.alpnProtocol !== 'h2') return undefined;
  const remote = `${socket.remoteAddress}:${socket.remotePort}`;
  return { kind: 'certificate', names: certificateNames(certificate), remote };
}

function listen(server: Server, config: TcpConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new SignetError(
          'invalid_argument',
          `expected a free address; ${cause.message} came for ${config.host}:${config.port}; use another`,
          { cause },
        ),
      ),
    );
    server.listen({ host: config.host, port: config.port }, resolve);
  });
}
