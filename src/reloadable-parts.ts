import type { PlacedConfig } from './config/load.js';
import type { Limits, TcpConfig } from './config/schema.js';
import { type Log, setLogLevel } from './log.js';
import type { CurrentPolicy } from './policy/current-policy.js';
import { createPolicy, type PolicyParts } from './policy/grants.js';
import type { Reloadable } from './reload.js';
import type { GrpcTransport } from './transport/grpc/grpc-transport.js';
import { TlsFileError } from './transport/grpc/tls-files.js';

/** Principals, grants, marks and groups, for requests from now on; quotas and remembered messages stay. */
export function reloadablePolicy(current: CurrentPolicy, parts: PolicyParts): Reloadable {
  return { prepare: (next) => () => current.replace(createPolicy(next.config, parts)) };
}

/** The stations share this object and read it when they need it. */
export function reloadableLimits(limits: Limits): Reloadable {
  return { prepare: (next) => () => void Object.assign(limits, next.config.limits) };
}

export function reloadableLog(log: Log): Reloadable {
  return { prepare: (next) => () => setLogLevel(log, next.config.log.level) };
}

/** The TLS files are read again on every reload, also where the configuration is the same: certificates are renewed in place. */
export function reloadableCertificates(grpc: GrpcTransport): Reloadable {
  return {
    prepare: (next) => {
      const commits = next.config.grpc.tcp.map((tcp, nth) => prepareTls(grpc, nth, tcp, next));
      return () => {
        for (const commit of commits) commit();
      };
    },
  };
}

function prepareTls(grpc: GrpcTransport, nth: number, tcp: TcpConfig, next: PlacedConfig): () => void {
  try {
    return grpc.prepareTls(nth, tcp);
  } catch (thrown) {
    if (!(thrown instanceof TlsFileError)) throw thrown;
    throw next.problem(['grpc', 'tcp', nth, thrown.option], thrown.message);
  }
}
