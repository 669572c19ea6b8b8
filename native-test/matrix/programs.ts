/** All programs of the matrix, in the order of the table, and what this machine cannot run. */
import type { Program, Row, Untested } from './cells.js';
import { apache } from './programs/apache.js';
import { curl } from './programs/curl.js';
import { gnutls } from './programs/gnutls.js';
import { haproxy, haproxyAsync } from './programs/haproxy.js';
import { java } from './programs/java.js';
import { nginx, nginxPkcs11, nginxSignet } from './programs/nginx.js';
import { nginxClient } from './programs/nginx-client.js';
import { node } from './programs/node.js';
import { openssh } from './programs/openssh.js';
import { opensslCommands, opensslTls } from './programs/openssl.js';

export const PROGRAMS: readonly Program[] = [
  nginx,
  nginxSignet,
  nginxPkcs11,
  nginxClient,
  haproxy,
  haproxyAsync,
  apache,
  curl,
  node,
  opensslTls,
  opensslCommands,
  gnutls,
  java,
  openssh,
];

export const ROWS: readonly Row[] = PROGRAMS.flatMap(({ rows }) => rows);

export const UNTESTED: readonly Untested[] = [
  { program: 'NGINX 1.29 and newer', naming: '`store:` URI', why: 'Debian 12 has 1.22' },
  { program: 'NGINX with QUIC', naming: 'file', why: "Debian 12's is built without" },
  { program: 'Programs on OpenSSL 1.1.1', naming: 'engine', why: 'Debian 12 has 3.0' },
  { program: 'Programs on OpenSSL 3.1 to 3.6', naming: 'file', why: 'Debian 12 has 3.0' },
  { program: 'Programs on OpenSSL 4', naming: 'file', why: 'Debian 12 has 3.0' },
  { program: 'HAProxy 3', naming: 'file', why: 'Debian 12 has 2.6' },
];
