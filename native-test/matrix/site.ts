/**
 * What all programs of the matrix share: a SoftHSM token with a key of every kind, certificates of them by a CA of files, the references, a
 * service, and an openssl.cnf for each way in.
 *
 * The service has two sockets: `tls.sock` grants the uses of TLS alone, so that a cell on it proves that the whole message came; `any.sock` grants
 * `digest` too, for programs that see no more than a digest.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCli } from '../../src/cli/run.js';
import type { KeyKind } from './cells.js';
import { makeCertificates } from './certificates.js';
import { type Running, run, start, until } from './processes.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const built = (name: string): string => join(ROOT, 'build', name);
const TLS_USES = ['tls13-server', 'tls13-client', 'tls12-server', 'tls12-client', 'csr'];

export class Site {
  readonly folder: string;
  readonly keys: readonly KeyKind[];
  service: Running | undefined;
  #audit = { offset: 0, ok: new Map<string, number>() };

  private constructor(folder: string, keys: readonly KeyKind[]) {
    this.folder = folder;
    this.keys = keys;
  }

  /** Makes everything but the service. */
  static async make(keys: readonly KeyKind[]): Promise<Site> {
    const folder = mkdtempSync(join(tmpdir(), 'signet-matrix-'));
    // A server that gives up root must get at its files; the token and its PIN have modes of their own.
    chmodSync(folder, 0o755);
    const site = new Site(folder, keys);
    await site.fill().catch((error) => site.remove().then(() => Promise.reject(error)));
    return site;
  }

  private async fill(): Promise<void> {
    const { folder, keys } = this;
    await this.signet(['init', folder]);
    for (const kind of keys) await this.signet(['keys', 'generate', '--type', tokenType(kind), '--label', kind]);
    for (const kind of keys) await this.export(kind);
    await makeCertificates(this);
    for (const kind of keys) await this.signet(['certs', 'import', '--in', this.certificate(kind)]);
    for (const kind of keys)
      this.write(`${kind}.pem`, readFileSync(this.certificate(kind), 'utf8') + this.referencePem(kind));
    this.write('provider.cnf', providerConf(this.file('run/tls.sock'), this.file('run/catalogue')));
    this.write('provider-any.cnf', providerConf(this.file('run/any.sock'), this.file('run/catalogue')));
    this.write('service.json', JSON.stringify(serviceConfig(folder, softHsm(folder))));
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string): string {
    writeFileSync(this.file(name), text);
    return this.file(name);
  }

  /** Both forms of the reference. */
  private async export(kind: KeyKind): Promise<void> {
    const args = ['keys', 'export', '--key', kind, ...referenceArgs(kind)];
    await this.signet([...args, '--out', this.reference(kind)]);
    await this.signet([...args, '--form', 'pkcs8', '--out', this.secondForm(kind)]);
  }

  certificate(kind: KeyKind): string {
    return this.file(`${kind}.crt`);
  }

  reference(kind: KeyKind): string {
    return this.file(`${kind}.key`);
  }

  /** The reference under the label `PRIVATE KEY`. */
  secondForm(kind: KeyKind): string {
    return this.file(`${kind}.pkcs8`);
  }

  /** Certificate and reference in one file. */
  combined(kind: KeyKind): string {
    return this.file(`${kind}.pem`);
  }

  referencePem(kind: KeyKind): string {
    return readFileSync(this.reference(kind), 'utf8');
  }

  get ca(): string {
    return this.file('ca.crt');
  }

  /** The environment of a program with the PKCS#11 module. */
  get pkcs11Environment(): NodeJS.ProcessEnv {
    return {
      SIGNET_CATALOGUE: this.file('run/catalogue'),
      SIGNET_SOCKETS: this.file('run/any.sock'),
      SIGNET_TIMEOUT_MS: '10000',
      SIGNET_PKCS11_LOG: 'stderr',
    };
  }

  /** Runs `signet ARGS` in this process; throws if it fails. */
  async signet(args: readonly string[]): Promise<void> {
    const { code, out, said } = await this.tell(args, 'signet.yaml');
    if (code !== 0) throw new Error(`signet ${args.join(' ')}: ${out}${said}`);
  }

  /** Runs `signet ARGS` with the configuration of the service. */
  async tell(args: readonly string[], config = 'service.json'): Promise<{ code: number; out: string; said: string }> {
    const [out, said]: [string[], string[]] = [[], []];
    const code = await runCli(args[0] === 'init' ? args : ['--config', this.file(config), ...args], {
      stdout: { write: (data) => out.push(Buffer.from(data as Uint8Array).toString()) },
      stderr: { write: (text) => said.push(text) },
      stdin: (async function* () {})(),
      env: {},
    });
    return { code, out: out.join(''), said: said.join('') };
  }

  /** One whose token does what `fault` orders, with so many signers, all of which are ready. */
  async startSlowService(signers: number): Promise<void> {
    this.write('slow.json', JSON.stringify(serviceConfig(this.folder, faulty(this.folder, signers))));
    await this.fault('create');
    await this.startService('slow.json');
    const ready = () => readFileSync(this.file('service.log'), 'utf8').split('"signer is ready"').length > signers;
    await until('all signers', ready);
  }

  /** A service beside the one that may run, which is then drained; serves when this resolves. */
  async startService(name = 'service.json'): Promise<void> {
    const before = this.service;
    const config = this.file(name);
    const log = this.write('service.log', '');
    const next = start(process.execPath, [join(ROOT, 'dist/main.js'), 'serve', '--config', config], log);
    await until('the service', () => {
      if (next.hasEnded) throw new Error(`the service ended: ${next.log()}`);
      return readFileSync(log, 'utf8').includes('"msg":"serving"');
    });
    this.service = next;
    const how = await before?.stop();
    if (how !== undefined && how !== 0) throw new Error(`the service that was replaced ended with ${how}`);
  }

  /** How many signatures with the key for the use the service has made, as its audit file has them. */
  signatures(kind: KeyKind, use: string): number {
    const text = readFileSync(this.file('audit.log')).subarray(this.#audit.offset).toString();
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    this.#audit.offset += Buffer.byteLength(whole);
    for (const line of whole.split('\n').filter(Boolean)) {
      const { label, use, outcome } = JSON.parse(line) as Record<string, string>;
      const name = `${label} ${use}`;
      if (outcome === 'ok') this.#audit.ok.set(name, (this.#audit.ok.get(name) ?? 0) + 1);
    }
    return this.#audit.ok.get(`${kind} ${use}`) ?? 0;
  }

  /** Does the work; throws unless the service made a signature with the key for the use meanwhile. */
  async signs(kind: KeyKind, use: string, work: () => Promise<void>): Promise<void> {
    const before = this.signatures(kind, use);
    await work();
    if (this.signatures(kind, use) > before) return;
    throw new Error(`the audit file has no new signature with ${kind} for ${use}`);
  }

  /** Orders a fault of the token (native-test/faulty). */
  async fault(...words: readonly string[]): Promise<void> {
    await run(built('native-test/faultyctl'), [this.file('faults'), ...words]);
  }

  async remove(): Promise<void> {
    await this.service?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  openssl(args: readonly string[], env: NodeJS.ProcessEnv = {}, input: string | Buffer = ''): Promise<string> {
    return run('openssl', args, env, input);
  }
}

function tokenType(kind: KeyKind): string {
  return kind === 'rsapss' ? 'rsa2048' : kind;
}

function referenceArgs(kind: KeyKind): string[] {
  return kind === 'rsapss' ? ['--reference', '--rsa-pss'] : ['--reference'];
}

/** `default` first and by name; for node too, which has a section of its own. */
function providerConf(sockets: string, catalogue: string): string {
  return `openssl_conf = openssl_init
nodejs_conf = openssl_init
[openssl_init]
providers = providers
[providers]
default = default_provider
signet = signet_provider
[default_provider]
activate = 1
[signet_provider]
module = ${built('native/signet.so')}
activate = 1
sockets = ${sockets}
catalogue = ${catalogue}
timeout_ms = 10000
[req]
distinguished_name = dn
[dn]
`;
}

function serviceConfig(folder: string, token: TokenModule): object {
  const socket = (role: string) => ({ path: `${folder}/run/${role}.sock`, role, mode: '0666' });
  return {
    version: 1,
    tokens: [{ name: 'main', token_label: 'signet', pin_file: 'pin', ...token }],
    sockets: [socket('tls'), socket('any')],
    grpc: { unix: [{ path: 'run/grpc.sock', role: 'any' }] },
    admin: { path: 'run/admin.sock' },
    catalogue_file: 'run/catalogue',
    state_dir: 'state',
    audit: { file: 'audit.log' },
    principals: [
      { name: 'tls', socket: { role: 'tls' } },
      { name: 'any', socket: { role: 'any' } },
    ],
    grants: [
      { principal: 'tls', keys: ['*'], uses: TLS_USES },
      { principal: 'any', keys: ['*'], uses: [...TLS_USES, 'digest'] },
    ],
  };
}

interface TokenModule {
  readonly module: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly signers: number;
}

/** As `signet init` found it. */
function softHsm(folder: string): TokenModule {
  const text = readFileSync(join(folder, 'signet.yaml'), 'utf8');
  const [, module = ''] = /^ *module: "(.*)"$/m.exec(text) ?? [];
  return { module, environment: { SOFTHSM2_CONF: join(folder, 'softhsm2.conf') }, signers: 1 };
}

function faulty(folder: string, signers: number): TokenModule {
  const { module, environment } = softHsm(folder);
  const faults = { SIGNET_FAULTY_MODULE: module, SIGNET_FAULTY_STATE: join(folder, 'faults') };
  return { module: built('native-test/faulty.so'), environment: { ...environment, ...faults }, signers };
}
