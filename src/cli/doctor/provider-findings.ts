import { existsSync } from 'node:fs';
import { lookAtEngine } from './engine-findings.js';
import { type Finding, fault, fine, warning } from './finding.js';
import { type Named, type OpensslConf, providersOf, readOpensslConf } from './openssl-conf-file.js';

/** What an openssl.cnf says of the provider, or else of the engine, and the sockets that it names. */
export interface ProviderConf {
  readonly findings: readonly Finding[];
  readonly sockets: readonly string[];
}

const PRINT = '"signet config openssl" prints one that is right';
/** SIGNET_SOCKETS_DEFAULT of native/client/signet_client.h. */
const SOCKET = '/run/signet/web.sock';

/** Looks at the file that OPENSSL_CONF names. */
export function lookAtOpensslConf(path: string): ProviderConf {
  let conf: OpensslConf;
  try {
    conf = readOpensslConf(path);
  } catch (error) {
    return {
      findings: [fault('module-path', `${path} cannot be read: ${(error as Error).message}`, PRINT)],
      sockets: [],
    };
  }
  const providers = providersOf(conf);
  const signet = providers?.find(isSignet);
  if (providers === undefined || signet === undefined) return engineOrNothing(path, conf);
  const findings = [module(path, signet), activation(path, providers), order(path, providers, signet)];
  return {
    findings: findings.filter((one) => one !== undefined),
    sockets: (signet.values.get('sockets') ?? SOCKET).split(':'),
  };
}

function engineOrNothing(path: string, conf: OpensslConf): ProviderConf {
  const engine = lookAtEngine(path, conf);
  if (engine !== undefined) return { findings: engine.findings, sockets: (engine.sockets ?? SOCKET).split(':') };
  const says = `${path} loads neither the Signet provider nor the Signet engine`;
  return { findings: [fault('module-path', says, PRINT)], sockets: [] };
}

function isSignet({ name, values }: Named): boolean {
  return name === 'signet' || /(^|\/)signet(\.so)?$/.test(values.get('module') ?? '');
}

function module(path: string, { values }: Named): Finding {
  const file = values.get('module');
  if (values.get('activate') === undefined) {
    return fault(
      'module-path',
      `${path} names the Signet provider but does not activate it`,
      'write "activate = 1" into its section',
    );
  }
  // Without one, or with a bare name, OpenSSL looks in its own folder.
  if (file === undefined || !file.startsWith('/'))
    return fine('module-path', `${path} loads the provider from OpenSSL's own folder`);
  if (existsSync(file)) return fine('module-path', `${path} loads ${file}`);
  return fault('module-path', `${path} loads ${file}, which is not there`, `correct "module =" there; ${PRINT}`);
}

function activation(path: string, providers: readonly Named[]): Finding {
  const own = providers.find(({ name, values }) => name === 'default' || values.get('identity') === 'default');
  if (own && own.values.get('activate') !== undefined)
    return fine('default-provider', `${path} activates the default provider`);
  const says = own ? 'names the default provider but does not activate it' : 'does not name the default provider';
  return fault(
    'default-provider',
    `${path} ${says}: as soon as any provider is activated by name, default is not active by itself`,
    'list "default" first among the providers, with "activate = 1" in its section',
  );
}

/** Only the provider's own care makes the wrong order work; others' programs may not have it. */
function order(path: string, providers: readonly Named[], signet: Named): Finding | undefined {
  const at = providers.findIndex(({ name }) => name === 'default');
  if (at < 0) return undefined;
  if (at < providers.indexOf(signet)) return fine('provider-order', `${path} has default before signet`);
  return warning(
    'provider-order',
    `${path} lists signet before default, so that OpenSSL asks it first for every key, also for genuine ones`,
    'list "default" first',
  );
}
