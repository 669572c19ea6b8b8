import { z } from 'zod';
import { USES } from '../sign-job.js';
import { TLS12_GROUPS, TLS12_GROUPS_DEFAULT } from '../tls-groups.js';

/**
 * The shape of the configuration file; examples/signet.yaml is its manual. Paths are absolute after parsing: a relative
 * one is taken from the folder of the file. Names end in their unit.
 */

const name = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,63}$/,
    'a name of 1 to 64 of a-z, 0-9, ".", "_", "-", beginning with a letter or digit',
  );
const path = z.string().min(1).max(4096);
const mode = z.string().regex(/^0?[0-7]{3}$/, 'an octal file mode in quotes, such as "0660"');
const port = z.int().min(0).max(65535);
const milliseconds = (max: number) => z.int().min(1).max(max);

/** How a module is told which token to use. Exactly one. */
const tokenChoice = {
  token_label: z.string().min(1).max(32).optional(),
  token_serial: z.string().min(1).max(16).optional(),
  slot: z.int().min(0).optional(),
};

const token = z
  .strictObject({
    name,
    module: path,
    environment: z.record(z.string(), z.string()).default({}),
    library_parameters: z.string().optional(),
    ...tokenChoice,
    pin_file: path.optional(),
    pin_credential: name.optional(),
    signers: z.int().min(1).max(64).default(2),
    verify: z.enum(['always', 'first', 'sample']).default('sample'),
    sign_hang_ms: milliseconds(600_000).default(10_000),
  })
  .refine((t) => [t.token_label, t.token_serial, t.slot].filter((choice) => choice !== undefined).length === 1, {
    error: 'exactly one of token_label, token_serial and slot',
  })
  .refine((t) => (t.pin_file === undefined) !== (t.pin_credential === undefined), {
    error: 'exactly one of pin_file and pin_credential',
  });

const unixSocket = z.strictObject({
  path,
  mode: mode.default('0600'),
  owner: z.union([z.string(), z.int().min(0)]).optional(),
  group: z.union([z.string(), z.int().min(0)]).optional(),
});

const roleSocket = unixSocket.extend({ role: name });

const tcp = z.strictObject({
  host: z.string().default('127.0.0.1'),
  port,
  certificate_file: path,
  key_file: path,
  client_ca_file: path,
});

const principal = z
  .strictObject({
    name,
    socket: z.strictObject({ role: name, uid: z.int().min(0).optional(), gid: z.int().min(0).optional() }).optional(),
    certificate: z
      .string()
      .regex(/^(URI|DNS|CN):.+$/, 'URI:…, DNS:… or CN:… as it stands in the certificate')
      .optional(),
  })
  .refine((p) => (p.socket === undefined) !== (p.certificate === undefined), {
    error: 'exactly one of socket and certificate',
  });

const keyName = z
  .string()
  .regex(
    /^(label:.{1,256}|id:([0-9a-f]{2}){1,64}|spki:[0-9a-f]{64}|\*)$/,
    'label:NAME, id:HEX, spki:SHA-256 in lowercase hex, or "*"',
  );

const grant = z.strictObject({
  principal: name,
  keys: z.array(keyName).min(1),
  uses: z.array(z.enum(USES)).min(1),
  tls12_groups: z
    .array(z.enum(TLS12_GROUPS))
    .min(1)
    .default([...TLS12_GROUPS_DEFAULT]),
});

const limits = z.strictObject({
  sign_timeout_ms: milliseconds(60_000).default(5_000),
  queue_jobs_max: z.int().min(1).max(1_000_000).default(4_096),
  connections_max: z.int().min(1).max(100_000).default(2_048),
  in_flight_per_connection_max: z.int().min(1).max(65_536).default(1_024),
  buffered_bytes_max: z
    .int()
    .min(65_536)
    .default(64 * 1024 * 1024),
  hello_timeout_ms: milliseconds(600_000).default(10_000),
  frame_timeout_ms: milliseconds(600_000).default(10_000),
  drain_timeout_ms: milliseconds(600_000).default(4_500),
});

const audit = z.strictObject({ file: path });

const log = z.strictObject({ level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info') });

export const configSchema = z.strictObject({
  version: z.literal(1),
  tokens: z.array(token).min(1).max(16),
  sockets: z.array(roleSocket).max(64).default([]),
  grpc: z
    .strictObject({ unix: z.array(roleSocket).max(64).default([]), tcp: z.array(tcp).max(16).default([]) })
    .prefault({}),
  admin: unixSocket,
  catalogue_file: path,
  state_dir: path,
  principals: z.array(principal).default([]),
  grants: z.array(grant).default([]),
  limits: limits.prefault({}),
  audit: audit.optional(),
  log: log.prefault({}),
});

/** A whole, valid configuration. */
export type Config = z.output<typeof configSchema>;
export type TokenConfig = Config['tokens'][number];
export type RoleSocketConfig = Config['sockets'][number];
export type UnixSocketConfig = Config['admin'];
export type TcpConfig = Config['grpc']['tcp'][number];
export type Limits = Config['limits'];
