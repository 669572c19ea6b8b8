import { existsSync } from 'node:fs';
import { type Finding, fault, fine, warning } from './finding.js';
import { isNginx, type ServerProcess } from './server-processes.js';
import { lookAtMode } from './socket-findings.js';

/** What a running server lacks. `sockets` are those of its openssl.cnf; `proc` is /proc. */
export function lookAtServer(server: ServerProcess, sockets: readonly string[], proc = '/proc'): Finding[] {
  const name = `${server.server}, pid ${server.pid} (${server.title})`;
  const linked = libcrypto(server, name);
  if (linked.level === 'fault') return [linked];
  const found = [linked, loaded(server, name)];
  if (server.provider || server.engine) {
    const root = server.root === '/' ? '' : `${proc}/${server.pid}/root`;
    found.push(...sockets.flatMap((socket) => within(server, name, socket, root) ?? []));
  }
  return found;
}

function libcrypto({ libcrypto, engine }: ServerProcess, name: string): Finding {
  if (libcrypto === undefined) {
    const remedy = 'use a build that is linked with the shared libcrypto of OpenSSL 3';
    return fault('libcrypto', `${name} links no shared libcrypto: what is built into it loads no provider`, remedy);
  }
  const { path, version } = libcrypto;
  if (/OpenSSL [01]\./.test(version) && !engine) {
    const remedy = 'use a build on OpenSSL 3, or a key named by "engine:"';
    return fault('libcrypto', `${name} links ${path}, ${version}: there are no providers before OpenSSL 3.0`, remedy);
  }
  return fine('libcrypto', `${name} links ${path}, ${version}`);
}

function loaded(server: ServerProcess, name: string): Finding {
  const { provider, engine, preload, atWork, paused, opensslConf } = server;
  if (!provider && !engine) {
    const remedy = `"signet config ${isNginx(server) ? 'nginx' : server.server === 'haproxy' ? 'haproxy' : 'apache'}" prints what it needs; restart it then`;
    const why = opensslConf === undefined ? 'its environment has no OPENSSL_CONF' : `OPENSSL_CONF is ${opensslConf}`;
    return warning('provider-loaded', `${name} has no Signet: ${why}`, remedy);
  }
  if (!isNginx(server) || engine)
    return fine('provider-loaded', `${name} has ${provider ? 'the provider' : 'an engine'}`);
  if (!preload) {
    return fine(
      'provider-loaded',
      `${name} waits for each signature; "signet config nginx --async" prints how it goes on`,
    );
  }
  if (!atWork)
    return fine('provider-loaded', `${name} has the preload library; no handshake has needed a signature yet`);
  const count = paused === undefined ? '' : `: ${paused} handshakes so far`;
  return fine('provider-loaded', `${name} goes on while signatures are made${count}`);
}

/** Whether it sees the socket and may connect to it, as itself. */
function within(server: ServerProcess, name: string, socket: string, root: string): Finding | undefined {
  if (root !== '' && !existsSync(root + socket)) {
    return fault(
      'chroot',
      `${name} has locked itself up in ${server.root}, where there is no ${socket}`,
      `let systemd show it there ("signet config ${server.server}" prints BindPaths=), or give the service another socket at ${server.root}${socket}`,
    );
  }
  return lookAtMode(socket, server.who, name, root);
}
