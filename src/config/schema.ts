import { z } from 'zod';
import { SCHEME_NAMES } from '../algorithms.js';
import { USES } from '../sign-job.js';
import { TLS12_GROUPS, TLS12_GROUPS_DEFAULT } from '../tls-groups.js';

/**
 * The shape of the configuration file; examples/signet.yaml is its manual. Names of options end in their unit.
 * The error text of every part is what was expected there; problems.ts adds what came.
 */

/** The name of whatever the configuration itself names. */
export const name = text(
  /^[a-z0-9][a-z0-9._-]{0,63}$/,
  'a name of 1 to 64 of a-z, 0-9, ".", "_" and "-", beginning with a letter or digit',
);

/** Every option that is a path is this very object; paths.ts finds them by it and makes them absolute. */
export const path = text(/^[^\0]{1,4096}$/, 'a path of 1 to 4096 characters');

const mode = text(/^0?[0-7]{3}$/, 'an octal file mode in quotes, such as "0660"');
const userId = integer(0, 2 ** 32 - 2);
const userOrId = (what: string) =>
  z.union(
    [
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/),
      z
        .int()
        .min(0)
        .max(2 ** 32 - 2),
    ],
    {
      error: `the name or number of a ${what}`,
    },
  );

const token = record('a token', {
  name,
  module: path,
  environment: z
    .record(text(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'the name of an environment variable'), shortText(4096), {
      error: 'a mapping of environment variables to strings',
    })
    .default({}),
  library_parameters: shortText(1024).optional(),
  token_label: shortText(32).optional(),
  token_serial: shortText(16).optional(),
  slot: integer(0, Number.MAX_SAFE_INTEGER).optional(),
  pin_file: path.optional(),
  pin_credential: name.optional(),
  public_key_files: list('files with public keys or certificates', path, 0, 1_000).default([]),
  signers: integer(1, 64).default(2),
  sessions: integer(1, 64).default(1),
  verify: word(['always', 'first', 'sample']).default('sample'),
  sign_hang_ms: integer(1, 600_000).default(10_000),
  busy_poll_us: integer(0, 1_000).default(0),
})
  .refine((t) => definedCount(t.token_label, t.token_serial, t.slot) === 1, {
    error: 'exactly one of token_label, token_serial and slot',
  })
  .refine((t) => definedCount(t.pin_file, t.pin_credential) === 1, {
    error: 'exactly one of pin_file and pin_credential',
  });

const unixSocketOptions = {
  path,
  mode: mode.default('0600'),
  owner: userOrId('user').optional(),
  group: userOrId('group').optional(),
  fd_name: text(
    /^[A-Za-z0-9@._-]{1,255}$/,
    'a FileDescriptorName: 1 to 255 of letters, digits, "@", ".", "_" and "-"',
  ).optional(),
};

const roleSocket = record('a socket', { role: name, ...unixSocketOptions });

const tcp = record('a TCP listener', {
  host: shortText(255).default('127.0.0.1'),
  port: integer(0, 65_535),
  certificate_file: path,
  key_file: path,
  client_ca_file: path,
});

const principal = record('a principal', {
  name,
  socket: record('a socket role and its peer', {
    role: name,
    uid: userId.optional(),
    gid: userId.optional(),
  }).optional(),
  certificate: text(
    /^(URI|DNS|CN):.{1,1024}$/,
    'URI:…, DNS:… or CN:… exactly as it stands in the certificate',
  ).optional(),
  api_key_sha256: text(
    /^[0-9a-f]{64}$/,
    'the SHA-256 of an API key, 64 lowercase hexadecimal digits; "signet clients add" prints it',
  ).optional(),
}).refine((p) => definedCount(p.socket, p.certificate, p.api_key_sha256) === 1, {
  error: 'exactly one of socket, certificate and api_key_sha256',
});

/** What may stand for several in a grant: `group:NAME`. */
const GROUP = 'group:[a-z0-9][a-z0-9._-]{0,63}';
const KEY = 'label:.{1,256}|id:([0-9a-f]{2}){1,64}|spki:[0-9a-f]{64}';
const KEY_FORMS = 'label:NAME, id: or spki: with lowercase hexadecimal digits (an SPKI SHA-256 has 64)';

const oneKey = text(new RegExp(`^(${KEY})$`), KEY_FORMS);
const keyName = text(new RegExp(`^(${KEY}|${GROUP}|\\*)$`), `${KEY_FORMS}, group:NAME, or "*"`);

const principalGroup = record('a group of principals', {
  name,
  members: list('names of principals', name, 1, 10_000),
});
const keyGroup = record('a group of keys', { name, keys: list('names of keys', oneKey, 1, 10_000) });

const keyMarks = record('a key and its marks', {
  key: keyName,
  ca: z.boolean({ error: 'true or false' }).default(false),
  tls13_only: z.boolean({ error: 'true or false' }).default(false),
  pss_only: z.boolean({ error: 'true or false' }).default(false),
});

const grant = record('a grant', {
  principal: text(new RegExp(`^([a-z0-9][a-z0-9._-]{0,63}|${GROUP})$`), 'the name of a principal, or group:NAME'),
  keys: list('names of keys', keyName, 1, 10_000),
  uses: list('uses', word(USES), 1, USES.length),
  tls12_groups: list('groups', word(TLS12_GROUPS), 1, TLS12_GROUPS.length).default([...TLS12_GROUPS_DEFAULT]),
  schemes: list('schemes', word(SCHEME_NAMES), 1, SCHEME_NAMES.length).optional(),
  rate_per_s: integer(1, 1_000_000).optional(),
  burst: integer(1, 1_000_000).optional(),
  expires: instant().optional(),
  duplicates: word(['allow', 'refuse']).default('allow'),
}).refine((g) => g.burst === undefined || g.rate_per_s !== undefined, {
  error: 'rate_per_s where burst stands: a burst is what may come at once of a rate',
});

const limits = record('limits', {
  sign_timeout_ms: integer(1, 60_000).default(5_000),
  queue_jobs_max: integer(1, 1_000_000).default(4_096),
  connections_max: integer(1, 100_000).default(2_048),
  in_flight_per_connection_max: integer(1, 65_536).default(1_024),
  buffered_bytes_max: integer(65_536, 2 ** 40).default(64 * 1024 * 1024),
  hello_timeout_ms: integer(1, 600_000).default(10_000),
  frame_timeout_ms: integer(1, 600_000).default(10_000),
  drain_timeout_ms: integer(1, 600_000).default(4_500),
  duplicate_window_ms: integer(1, 3_600_000).default(60_000),
  duplicate_entries_max: integer(1_024, 16_777_216).default(65_536),
});

const audit = record('the audit', {
  file: path,
  on_failure: word(['refuse', 'continue']).default('refuse'),
  fsync_ms: integer(1, 60_000).default(1_000),
  rotate_bytes: integer(65_536, 2 ** 40).default(256 * 1024 * 1024),
  keep_files: integer(0, 1_000).default(8),
  publish_head_ms: integer(1_000, 86_400_000).default(60_000),
});

/** Loopback only: metrics name principals and keys, and nobody is asked who he is. */
const metrics = record('the metrics', {
  host: text(/^(127(\.\d{1,3}){3}|::1|localhost)$/, 'a loopback address: 127.0.0.1, ::1 or localhost').default(
    '127.0.0.1',
  ),
  port: integer(0, 65_535),
});

const OTLP_URL =
  'a URL of up to 2048 characters that ends in /v1/traces, without user, password or query, such as "http://127.0.0.1:4318/v1/traces"';
const RATIO = 'a number from 0 to 1';

/** Where spans go. The text of a URL that is refused is not repeated: a password may stand in it. */
const traces = record('the traces', {
  otlp_url: z.string({ error: OTLP_URL }).refine(isOtlpUrl, { error: OTLP_URL }),
  sample_ratio: z.number({ error: RATIO }).min(0, { error: RATIO }).max(1, { error: RATIO }).default(1),
  service_name: shortText(255).default('signet'),
});

export const configSchema = record('a configuration', {
  version: z.literal(1, { error: '1, the version of this format' }),
  tokens: list('tokens', token, 1, 16),
  sockets: list('sockets', roleSocket, 0, 64).default([]),
  grpc: record('gRPC listeners', {
    unix: list('sockets', roleSocket, 0, 64).default([]),
    tcp: list('TCP listeners', tcp, 0, 16).default([]),
  }).prefault({}),
  admin: record('a socket', unixSocketOptions),
  catalogue_file: path,
  state_dir: path.default('/var/lib/signet'),
  principals: list('principals', principal, 0, 10_000).default([]),
  principal_groups: list('groups of principals', principalGroup, 0, 1_000).default([]),
  keys: list('keys with marks', keyMarks, 0, 10_000).default([]),
  key_groups: list('groups of keys', keyGroup, 0, 1_000).default([]),
  grants: list('grants', grant, 0, 10_000).default([]),
  limits: limits.prefault({}),
  audit: audit.optional(),
  metrics: metrics.optional(),
  traces: traces.optional(),
  log: record('the log', {
    level: word(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
  }).prefault({}),
});

/** A whole, valid configuration; its paths are absolute. */
export type Config = z.output<typeof configSchema>;
export type TokenConfig = Config['tokens'][number];
export type RoleSocketConfig = Config['sockets'][number];
export type UnixSocketConfig = Config['admin'];
export type TcpConfig = Config['grpc']['tcp'][number];
export type Limits = Config['limits'];

function integer(min: number, max: number) {
  const error = `an integer from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

function isOtlpUrl(text: string): boolean {
  return text.length <= 2_048 && /^https?:\/\/[^\s@?#]+\/v1\/traces$/.test(text) && URL.canParse(text);
}

/** RFC 3339 with an offset, so that it means the same everywhere. */
function instant() {
  const error = 'an instant such as "2027-01-31T12:00:00Z" or with +01:00';
  return z.iso.datetime({ offset: true, error });
}

function text(pattern: RegExp, error: string) {
  return z.string({ error }).regex(pattern, { error });
}

function shortText(max: number) {
  const error = `a string of 1 to ${max} characters (a number in quotes)`;
  return z.string({ error }).min(1, { error }).max(max, { error });
}

function word<const Words extends readonly string[]>(words: Words) {
  return z.enum(words, { error: `one of ${words.join(', ')}` });
}

function list<Item extends z.ZodType>(what: string, item: Item, min: number, max: number) {
  const error = `a list of ${min} to ${max} ${what}`;
  return z.array(item, { error }).min(min, { error }).max(max, { error });
}

/** Unknown keys are refused; problems.ts words that. */
function record<Shape extends z.ZodRawShape>(what: string, shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'invalid_type' ? `${what}: a mapping of ${Object.keys(shape).join(', ')}` : undefined,
  });
}

function definedCount(...values: readonly unknown[]): number {
  return values.filter((value) => value !== undefined).length;
}
