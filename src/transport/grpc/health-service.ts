import { type ServerUnaryCall, type ServerWritableStream, type sendUnaryData, status } from '@grpc/grpc-js';
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  type HealthServer,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../gen/grpc/health/v1/health.js';

/** Whether at least one signer takes jobs and the service is not draining. */
export interface Health {
  serving(): boolean;
  /** Calls the listener after each change. */
  onChange(listener: () => void): void;
}

type Watch = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;

/** The standard health service (https://grpc.io/docs/guides/health-checking/) for the server as a whole and each of its services. */
export class HealthService {
  readonly implementation: HealthServer = {
    check: (
      call: ServerUnaryCall<HealthCheckRequest, HealthCheckResponse>,
      callback: sendUnaryData<HealthCheckResponse>,
    ) => this.#check(call.request.service, callback),
    watch: (call: Watch) => this.#watch(call),
  };
  readonly #health: Health;
  readonly #services: ReadonlySet<string>;
  /** The watchers and what each was told last. */
  readonly #watches = new Map<Watch, ServingStatus>();
  #draining = false;

  constructor(health: Health, services: readonly string[]) {
    this.#health = health;
    this.#services = new Set(['', ...services]);
    health.onChange(() => this.#tell());
  }

  /** Tells the watchers that it is over and lets them go. */
  drain(): void {
    this.#draining = true;
    this.#tell();
    for (const watch of this.#watches.keys()) watch.end();
  }

  #check(service: string, callback: sendUnaryData<HealthCheckResponse>): void {
    if (this.#services.has(service)) callback(null, { status: this.#status(service) });
    else callback({ code: status.NOT_FOUND, details: 'expected the name of a service of this server; another came' });
  }

  #watch(call: Watch): void {
    const first = this.#status(call.request.service);
    this.#watches.set(call, first);
    call.on('cancelled', () => this.#watches.delete(call));
    call.on('error', () => this.#watches.delete(call));
    call.write({ status: first });
    if (this.#draining) call.end();
  }

  #tell(): void {
    for (const [call, told] of this.#watches) {
      const now = this.#status(call.request.service);
      if (now === told) continue;
      this.#watches.set(call, now);
      call.write({ status: now });
    }
  }

  #status(service: string): ServingStatus {
    if (!this.#services.has(service)) return ServingStatus.SERVICE_UNKNOWN;
    return this.#health.serving() && !this.#draining ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  }
}
