import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Config } from '../config/schema.js';
import { SignetError } from '../errors.js';

/** Prometheus and someone with curl. */
const CONNECTIONS_MAX = 16;
/** How long a request may take to come, in milliseconds, and how often that is looked at. */
const REQUEST_TIMEOUT_MS = 5_000;
const REQUEST_CHECK_MS = 1_000;
/** How often a port is tried again that the service before this one still has, in milliseconds. */
const PORT_RETRY_MS = 1_000;

/** GET /metrics on a loopback address, in Prometheus' text format. */
export class MetricsEndpoint {
  readonly #config: NonNullable<Config['metrics']>;
  readonly #server: Server;
  readonly #log: Logger;
  #retry: NodeJS.Timeout | undefined;

  /**
   * A port that is taken is tried again until it can be had: a service that takes over must not fail for it.
   * Throws SignetError invalid_argument for any other reason.
   */
  static async listen(
    config: NonNullable<Config['metrics']>,
    registry: Registry,
    log: Logger,
  ): Promise<MetricsEndpoint> {
    const endpoint = new MetricsEndpoint(config, registry, log);
    await endpoint.#listen();
    return endpoint;
  }

  private constructor(config: NonNullable<Config['metrics']>, registry: Registry, log: Logger) {
    this.#config = config;
    this.#log = log;
    this.#server = createServer(
      {
        headersTimeout: REQUEST_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: REQUEST_CHECK_MS,
      },
      (request, response) => void this.#answer(request, response, registry),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  get address(): string {
    const { host } = this.#config;
    const { port } = (this.#server.address() as AddressInfo | null) ?? this.#config;
    return `http://${host.includes(':') ? `[${host}]` : host}:${port}${PATH}`;
  }

  close(): void {
    clearTimeout(this.#retry);
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #listen(): Promise<void> {
    const { host, port } = this.#config;
    try {
      this.#server.listen({ host, port });
      await once(this.#server, 'listening');
      this.#server.on('error', (err) => this.#log.error({ err }, 'metrics'));
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (code === 'EADDRINUSE') return this.#tryLater();
      const text = `expected metrics.host and metrics.port that can be listened on; ${message} came; use others`;
      throw new SignetError('invalid_argument', text, { cause });
    }
  }

  #tryLater(): void {
    if (!this.#retry) this.#log.warn({ address: this.address }, 'the port of the metrics is taken; trying again');
    this.#retry = setTimeout(() => {
      this.#listen().catch((err) => this.#log.error({ err }, 'no metrics: their port cannot be listened on'));
    }, PORT_RETRY_MS).unref();
  }

  async #answer({ method, url }: IncomingMessage, response: ServerResponse, registry: Registry): Promise<void> {
    const path = url?.split('?')[0];
    if (method !== 'GET' && method !== 'HEAD') return say(response, 405, `expected GET; ${method} came\n`);
    if (path !== PATH) return say(response, 404, `the metrics are at ${PATH}\n`);
    try {
      const text = await registry.metrics();
      response.setHeader('content-type', registry.contentType).end(text);
    } catch (err) {
      this.#log.error({ err }, 'the metrics cannot be collected');
      say(response, 500, 'internal error; the log of the service has the details\n');
    }
  }
}

const PATH = '/metrics';

function say(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text);
}
