import { nearest } from './nearest.js';
import type { Problem } from './problem.js';
import type { Config } from './schema.js';
import { optionName } from './shape-problems.js';
import type { YamlSource } from './yaml-source.js';

/** What must hold between the options of a configuration whose shape is right. Its paths are absolute. */
export function crossCheck(config: Config, source: YamlSource): Problem[] {
  const found = [
    ...repeated(config.tokens.map(({ name }, i) => [['tokens', i, 'name'], name])),
    ...repeated(config.principals.map(({ name }, i) => [['principals', i, 'name'], name])),
    ...repeated(config.principal_groups.map(({ name }, i) => [['principal_groups', i, 'name'], name])),
    ...repeated(config.key_groups.map(({ name }, i) => [['key_groups', i, 'name'], name])),
    ...repeated(config.keys.map(({ key }, i) => [['keys', i, 'key'], key])),
    ...repeated(filesMade(config)),
    ...unknownRoles(config),
    ...unmatchable(config),
    ...unknownPrincipals(config),
    ...unknownKeyGroups(config),
  ];
  return found.map(({ path, text }) => source.problem(path, `${optionName(path)}: ${text}`));
}

type Path = readonly PropertyKey[];
interface Finding {
  readonly path: Path;
  readonly text: string;
}

function repeated(values: readonly (readonly [Path, string])[]): Finding[] {
  const first = new Map<string, Path>();
  return values.flatMap(([path, value]) => {
    const before = first.get(value);
    if (before === undefined) first.set(value, path);
    return before ? [{ path, text: `expected another than ${optionName(before)}, got "${value}" again` }] : [];
  });
}

/** All that the service itself makes: two at one path would overwrite each other. */
function filesMade(config: Config): (readonly [Path, string])[] {
  const audit: (readonly [Path, string])[] = config.audit ? [[['audit', 'file'], config.audit.file]] : [];
  return [
    ...config.sockets.map(({ path }, i) => [['sockets', i, 'path'], path] as const),
    ...config.grpc.unix.map(({ path }, i) => [['grpc', 'unix', i, 'path'], path] as const),
    [['admin', 'path'], config.admin.path],
    [['catalogue_file'], config.catalogue_file],
    ...audit,
  ];
}

function unknownRoles(config: Config): Finding[] {
  const roles = new Set([...config.sockets, ...config.grpc.unix].map(({ role }) => role));
  return config.principals.flatMap(({ socket }, i) => {
    if (socket === undefined || roles.has(socket.role)) return [];
    const path = ['principals', i, 'socket', 'role'];
    return [{ path, text: `expected the role of a socket, got "${socket.role}"; ${hint(socket.role, roles)}` }];
  });
}

/** The first principal that matches counts, so one that an earlier one covers would never be anyone. */
function unmatchable({ principals }: Config): Finding[] {
  const seen = new Map<string, number>();
  return principals.flatMap((principal, i) => {
    const cover = covering(principal)
      .map((form) => seen.get(form))
      .find((at) => at !== undefined);
    const [own] = covering(principal);
    if (own !== undefined && !seen.has(own)) seen.set(own, i);
    if (cover === undefined) return [];
    const text = `never matches, since principals[${cover}] before it matches the same callers; the first one counts`;
    return [{ path: ['principals', i], text }];
  });
}

/** What a principal matches, first as it stands, then in every wider form. */
function covering({ socket, certificate, api_key_sha256 }: Config['principals'][number]): string[] {
  if (certificate !== undefined) return [`certificate ${certificate}`];
  if (socket === undefined) return [`api key ${api_key_sha256}`];
  const { role, uid = '*', gid = '*' } = socket;
  return [`${role} ${uid} ${gid}`, `${role} ${uid} *`, `${role} * ${gid}`, `${role} * *`];
}

function unknownPrincipals({ principals, principal_groups, grants }: Config): Finding[] {
  const names = new Set(principals.map(({ name }) => name));
  const groups = new Set(principal_groups.map(({ name }) => `${GROUP}${name}`));
  const members = principal_groups.flatMap(({ members }, i) =>
    members.flatMap((member, j) =>
      unknown(member, 'the name of a principal', names, ['principal_groups', i, 'members', j]),
    ),
  );
  const granted = grants.flatMap(({ principal }, i) =>
    principal.startsWith(GROUP)
      ? unknown(principal, 'a group of principal_groups', groups, ['grants', i, 'principal'])
      : unknown(principal, 'the name of a principal', names, ['grants', i, 'principal']),
  );
  return [...members, ...granted];
}

function unknownKeyGroups({ key_groups, keys, grants }: Config): Finding[] {
  const groups = new Set(key_groups.map(({ name }) => `${GROUP}${name}`));
  const named: (readonly [string, Path])[] = [
    ...keys.map(({ key }, i) => [key, ['keys', i, 'key']] as const),
    ...grants.flatMap((grant, i) => grant.keys.map((key, j) => [key, ['grants', i, 'keys', j]] as const)),
  ];
  return named.flatMap(([key, path]) =>
    key.startsWith(GROUP) ? unknown(key, 'a group of key_groups', groups, path) : [],
  );
}

const GROUP = 'group:';

function unknown(name: string, expected: string, known: ReadonlySet<string>, path: Path): Finding[] {
  if (known.has(name)) return [];
  return [{ path, text: `expected ${expected}, got "${name}"; ${hint(name, known)}` }];
}

const KNOWN_SHOWN_MAX = 10;
/** Comparing with more costs more than the hint is worth. */
const KNOWN_COMPARED_MAX = 200;

function hint(name: string, known: ReadonlySet<string>): string {
  const guess = nearest(name, [...known].slice(0, KNOWN_COMPARED_MAX));
  if (guess) return `did you mean "${guess}"?`;
  const shown = [...known].slice(0, KNOWN_SHOWN_MAX).join(', ');
  return `known: ${shown || 'none'}${known.size > KNOWN_SHOWN_MAX ? ', …' : ''}`;
}
