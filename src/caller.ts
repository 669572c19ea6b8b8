/**
 * Who stands at the other end of a connection, as far as the operating system or TLS can tell.
 * The policy makes a principal of it, once per connection.
 */
export type Caller = UnixCaller | CertificateCaller | ApiKeyCaller;

/** The peer of a Unix socket: the role of the socket that it came in by, and SO_PEERCRED (unix(7)). */
export interface UnixCaller {
  readonly kind: 'unix';
  readonly role: string;
  readonly uid: number;
  readonly gid: number;
  /** For the record only: a pid may be used again. */
  readonly pid: number;
}

/** The peer of a mutual TLS connection: the names in its verified certificate. */
export interface CertificateCaller {
  readonly kind: 'certificate';
  /** `URI:…`, `DNS:…` of the subject alternative names and `CN:…` of the subject, as written in the certificate. */
  readonly names: readonly string[];
  /** Address and port, for the record only. */
  readonly remote: string;
}

/** Who presents an API key in a gRPC call: the key counts, and not the connection that it came by. */
export interface ApiKeyCaller {
  readonly kind: 'api_key';
  /** SHA-256 of the key, 64 lowercase hexadecimal digits. The key itself goes no further than where it was read. */
  readonly sha256: string;
  /** The caller that the connection has without it; for the record only. */
  readonly connection: Caller;
}

/** A caller in one short line for logs. */
export function describeCaller(caller: Caller): string {
  if (caller.kind === 'api_key') return `api key ${caller.sha256.slice(0, 8)}…(${describeCaller(caller.connection)})`;
  if (caller.kind === 'unix') return `${caller.role}(uid=${caller.uid},gid=${caller.gid},pid=${caller.pid})`;
  return `${caller.names[0] ?? 'unnamed certificate'}(${caller.remote})`;
}
