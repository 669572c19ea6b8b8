import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFaultyToken } from '../../test/fixtures/faulty-token.js';
import { createToken, type TestToken } from '../../test/fixtures/softhsm-token.js';
import type { KeyKind, Load, Pace, ServiceWish } from '../experiment.js';
import { type FloorMechanism, runFloor } from '../floor/run-floor.js';
import type { Measured, Sample } from '../measured.js';
import { type P11KitServer, startP11Kit } from '../peers/p11-kit.js';
import { runLoad, type Watch, words } from '../program.js';
import type { Site } from '../site.js';
import { GrpcLoad } from './grpc-load.js';
import { childrenOf, cpuUs, pssMb } from './processes.js';
import { type Service, startService } from './service.js';

const BUILT = join(import.meta.dirname, '../../build');
/** IANA code points of what the service is asked for: what TLS 1.3 uses with such a key. */
const SCHEMES: Record<KeyKind, number> = { p256: 0x0403, rsa2048: 0x0804 };
const MECHANISMS: Record<KeyKind, FloorMechanism> = { p256: 'ecdsa-p256', rsa2048: 'rsa-pss' };
/** Of every load before its measured part, in seconds: connections are made, and what was idle wakes. */
const WARMUP_SECONDS = 0.2;
/**
 * How long a request may take in all, in milliseconds: as long as the service lets one wait, where the next is asked when it is answered; what a
 * client waits by default, where it is asked whatever happens.
 */
const CLOSED_LOOP_MS = 5_000;
const OPEN_LOOP_MS = 1_000;
/** Signatures of each client before the measured part, where that is counted so. */
const WARMUP_SIGNATURES = 10;

/** A token with a service before it. */
export async function startServiceSite(wish: ServiceWish): Promise<Site> {
  const token = createTokenOf(wish);
  let service: Service | undefined;
  try {
    const { signers = 1, sessions } = wish;
    service = await startService(token, { signers, ...(sessions !== undefined && { sessions }) });
    if (typeof wish.token === 'number') makeSlow(token, wish.token);
    return new ServiceSite(wish.key, token, service);
  } catch (error) {
    await service?.end();
    token.remove();
    throw error;
  }
}

function createTokenOf({ key: type, token }: ServiceWish): TestToken {
  const keys = [{ label: 'key-0', type }];
  if (typeof token === 'number') return createFaultyToken({ keys });
  if (token === 'null') return behind('null_token.so', createToken({ keys }));
  return typeof token === 'object' ? behind('keys_token.so', createToken(), token.keys) : createToken({ keys });
}

/** After the service has found its keys, which is not to be slow. */
function makeSlow(token: TestToken, milliseconds: number): void {
  (token as ReturnType<typeof createFaultyToken>).order({ latencyUs: milliseconds * 1000 });
}

/** The token with a module of ours before it, or in its place. */
function behind(file: string, token: TestToken, keys = 0): TestToken {
  const module = join(BUILT, 'bench', file);
  const environment = { SOFTHSM2_CONF: token.conf, BENCH_REAL_MODULE: token.module, BENCH_KEYS: String(keys) };
  return { ...token, module, tokenConfig: (changes = {}) => token.tokenConfig({ module, environment, ...changes }) };
}

class ServiceSite implements Site {
  readonly #kind: KeyKind;
  readonly #token: TestToken;
  readonly #service: Service;
  readonly #keys: readonly string[];
  readonly #grpc = new Lazy(async () => new GrpcLoad());
  readonly #p11kit = new Lazy(() => startP11Kit(this.#token));

  constructor(kind: KeyKind, token: TestToken, service: Service) {
    this.#kind = kind;
    this.#token = token;
    this.#service = service;
    this.#keys = service.keys;
    writeFileSync(this.#keysFile, `${this.#keys.join('\n')}\n`);
    writeFileSync(this.#messageFile, certificateVerify());
  }

  get #keysFile(): string {
    return join(this.#service.folder, 'keys');
  }

  get #messageFile(): string {
    return join(this.#service.folder, 'message');
  }

  offers(): boolean {
    return true;
  }

  async measure(load: Load, seconds: number, rate: number | undefined): Promise<Sample> {
    const usage = new Usage(this.#service.pid);
    const measured = await this.#run(load, seconds, rate, usage);
    // Of an overload it is a figure, of anything else a fault.
    if (measured.failed && rate === undefined)
      throw new Error(`${measured.failed} of ${measured.count} signatures of ${load.by} failed`);
    return load.by === 'floor' || load.by === 'openssl' || load.by === 'p11-kit'
      ? measured
      : usage.with(measured, uncounted(load));
  }

  async end(): Promise<void> {
    await this.#grpc.end();
    await this.#p11kit.end();
    await this.#service.end();
    this.#token.remove();
  }

  async #run(load: Load, seconds: number, rate: number | undefined, watch: Watch): Promise<Measured> {
    const floor = { key: 'key-0', mechanism: MECHANISMS[this.#kind], seconds };
    switch (load.by) {
      case 'floor':
        return runFloor(this.#token, { ...floor, ...load });
      case 'openssl':
        return runFloor(this.#token, { ...floor, ...load }, 'floor_openssl');
      case 'p11-kit': {
        const { module, environment } = await this.#p11kit.get();
        return runFloor(this.#token, { ...floor, ...load, module, environment });
      }
      case 'clients':
        return this.#clients(load.clients, seconds, watch);
      case 'socket':
        return this.#socket({ connections: load.connections, ...paceOf(load.pace, rate) }, seconds, watch);
      case 'grpc':
        return this.#callGrpc(load, seconds, rate, watch);
      case 'handshakes':
        throw new Error('handshakes are measured on servers');
    }
  }

  #clients(clients: number, seconds: number, watch: Watch): Promise<Measured> {
    const options = {
      socket: this.#service.socket,
      spki: this.#keys[0],
      scheme: SCHEMES[this.#kind],
      message: this.#messageFile,
      warmup: WARMUP_SIGNATURES * clients,
      concurrency: clients,
      'for-ms': Math.round(seconds * 1000),
    };
    return runLoad(join(BUILT, 'native/signet_sign_loop'), words(options), watch);
  }

  #socket(shape: Readonly<Record<string, number | undefined>>, seconds: number, watch: Watch): Promise<Measured> {
    const options = {
      socket: this.#service.socket,
      keys: this.#keysFile,
      scheme: SCHEMES[this.#kind],
      ...shape,
      seconds,
      warmup: WARMUP_SECONDS,
      'timeout-ms': shape.rate === undefined ? CLOSED_LOOP_MS : OPEN_LOOP_MS,
    };
    return runLoad(join(BUILT, 'bench/socket_load'), words(options), watch);
  }

  async #callGrpc(load: Load & { by: 'grpc' }, seconds: number, rate: number | undefined, watch: Watch) {
    const { doors } = this.#service;
    const wish = {
      carrier: load.carrier,
      address: doors[load.over],
      files: load.over === 'mtls' ? doors.files : undefined,
      keys: this.#keys,
      scheme: SCHEMES[this.#kind],
      connections: load.connections ?? 1,
      ...('rate' in load.pace ? { rate: rate ?? 1 } : { inFlight: load.pace.inFlight }),
      seconds,
      warmupSeconds: WARMUP_SECONDS,
      timeoutMs: rate === undefined ? CLOSED_LOOP_MS : OPEN_LOOP_MS,
    };
    return (await this.#grpc.get()).run(wish, watch);
  }
}

/** The client library's load does not say when its measured part begins, so its warm-up is watched too. */
function uncounted(load: Load): number {
  return load.by === 'clients' ? WARMUP_SIGNATURES * load.clients : 0;
}

function paceOf(pace: Pace, rate: number | undefined): Record<string, number | undefined> {
  return 'rate' in pace ? { rate } : { 'in-flight': pace.inFlight };
}

/** RFC 8446 section 4.4.3, with the transcript hash of nothing in particular. */
function certificateVerify(): Buffer {
  return Buffer.concat([
    Buffer.alloc(64, 0x20),
    Buffer.from('TLS 1.3, server CertificateVerify\0'),
    Buffer.alloc(32, 1),
  ]);
}

/** What the service's processes use while a load is measured. */
class Usage implements Watch {
  readonly #front: number;
  readonly #signers: readonly number[];
  #before = { front: 0, signers: 0 };
  #used = { front: 0, signers: 0 };
  #memory = { front_mb: 0, signer_mb: 0 };

  constructor(front: number) {
    this.#front = front;
    this.#signers = childrenOf(front);
  }

  begin(): void {
    this.#before = this.#now();
  }

  /** While the load's connections are still open. */
  end(): void {
    const now = this.#now();
    this.#used = { front: now.front - this.#before.front, signers: now.signers - this.#before.signers };
    this.#memory = { front_mb: pssMb(this.#front), signer_mb: Math.max(...this.#signers.map(pssMb)) };
  }

  /** What was refused costs too, so that is counted among them; and what the load made besides in the time that was watched. */
  with(measured: Measured, uncounted: number): Sample {
    const answers = (measured.per_second + (measured.refused_per_second ?? 0)) * measured.seconds + uncounted;
    if (answers === 0) return { ...measured, ...this.#memory };
    const each = { front_us: this.#used.front / answers, signer_us: this.#used.signers / answers };
    return { ...measured, ...each, ...this.#memory };
  }

  #now() {
    return { front: cpuUs(this.#front), signers: this.#signers.reduce((sum, pid) => sum + cpuUs(pid), 0) };
  }
}

/** Started when it is first wanted. */
class Lazy<T extends GrpcLoad | P11KitServer> {
  readonly #start: () => Promise<T>;
  #started: Promise<T> | undefined;

  constructor(start: () => Promise<T>) {
    this.#start = start;
  }

  get(): Promise<T> {
    this.#started ??= this.#start();
    return this.#started;
  }

  async end(): Promise<void> {
    await (await this.#started)?.end();
  }
}
