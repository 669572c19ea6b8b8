import type { Caller } from '../caller.js';
import type { Config } from '../config/schema.js';

type PrincipalConfig = Config['principals'][number];

/** Who a caller is: the name of the first principal that matches, in the configuration's order. */
export function identifier(principals: readonly PrincipalConfig[]): (caller: Caller) => string | undefined {
  const byKey = new Map<string, string>();
  for (const { api_key_sha256, name } of principals) {
    if (api_key_sha256 !== undefined && !byKey.has(api_key_sha256)) byKey.set(api_key_sha256, name);
  }
  return (caller) => {
    // Looked up by its hash: how long that takes says nothing of the key itself.
    if (caller.kind === 'api_key') return byKey.get(caller.sha256);
    return principals.find((principal) => matches(principal, caller))?.name;
  };
}

/** Exact: no patterns, no case folding. A uid or gid that the configuration does not give may be any. */
function matches({ socket, certificate }: PrincipalConfig, caller: Exclude<Caller, { kind: 'api_key' }>): boolean {
  if (caller.kind === 'certificate') return certificate !== undefined && caller.names.includes(certificate);
  if (socket === undefined || socket.role !== caller.role) return false;
  return (socket.uid ?? caller.uid) === caller.uid && (socket.gid ?? caller.gid) === caller.gid;
}
