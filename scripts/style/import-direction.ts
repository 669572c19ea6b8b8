import { dirname, join, relative } from 'node:path';

/**
 * The stations of a request, in its order; each may import those after it, never those before. A signer is another process:
 * it shares the messages of the pool with the front and nothing else.
 */
const STATIONS = ['transport', 'policy', 'keys', 'scheduler', 'pool', 'signer'];
const SHARED_WITH_SIGNER = 'pool/messages.ts';
/** Shapes that every station may name: the configuration, and what the wire's generator made. */
const SHAPES = ['gen', 'config'];
const SHAPE_FILES = ['keys/served-key.ts'];
/** Beside the path: they are handed to it, or look at it. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  gen: [],
  config: [],
  audit: [],
  latch: [],
  metrics: [],
  systemd: [],
  'token-admin': [],
  traces: [],
  x509: [],
  admin: ['transport', 'keys', 'scheduler', 'pool'],
  cli: ['admin', 'audit', 'latch', 'token-admin', 'x509', 'transport', 'policy', 'keys', 'root-program'],
};
/** Files of src/ that join everything. */
const PROGRAMS = ['desk.ts', 'service.ts', 'reloadable-parts.ts', 'main.ts'];

/** What a file of src/ imports that it may not. `path` is relative to the project. */
export function wrongImports(path: string, text: string): string[] {
  if (!path.startsWith('src/') || path.endsWith('.test.ts')) return [];
  const from = path.slice('src/'.length);
  if (PROGRAMS.includes(from)) return [];
  const found: string[] = [];
  for (const { target, line } of importsOf(from, text)) {
    const reason = whyNot(from, target);
    if (reason) found.push(`${path}:${line} imports ${target}: ${reason}`);
  }
  return found;
}

function importsOf(from: string, text: string): { target: string; line: number }[] {
  const found: { target: string; line: number }[] = [];
  for (const match of text.matchAll(
    /^(?:import|export)\b[^'"]*?\bfrom '(\.[^']+)'|\bimport\('(\.[^']+)'\)|^import '(\.[^']+)'/gms,
  )) {
    const specifier = match[1] ?? match[2] ?? match[3] ?? '';
    const target = relative('.', join(dirname(from), specifier)).replace(/\.js$/, '.ts');
    found.push({ target, line: text.slice(0, match.index).split('\n').length });
  }
  return found;
}

/** Why `from` may not import `target`, both relative to src/; undefined if it may. */
function whyNot(from: string, target: string): string | undefined {
  const [here, there] = [stationOf(from), stationOf(target)];
  if (here === there || SHAPES.includes(there) || SHAPE_FILES.includes(target)) return undefined;
  if (there === 'root') return undefined;
  if (here === 'root') return 'the shared vocabulary knows no station';
  if (here === 'signer') {
    return target === SHARED_WITH_SIGNER ? undefined : `a signer shares only ${SHARED_WITH_SIGNER} with the front`;
  }
  if (there === 'signer') return 'the front knows a signer by its messages only';
  return STATIONS.includes(here) ? whyNotFromStation(here, there) : whyNotFromBeside(here, there);
}

function whyNotFromStation(here: string, there: string): string | undefined {
  const [at, to] = [STATIONS.indexOf(here), STATIONS.indexOf(there)];
  if (to > at) return undefined;
  if (to >= 0) return `${there} comes before ${here} on the path of a request`;
  return `${there} is not on the path of a request; service.ts hands it over`;
}

function whyNotFromBeside(here: string, there: string): string | undefined {
  const allowed = BESIDE[here];
  if (!allowed) return `src/${here} is unknown to scripts/style/import-direction.ts; say there what it may import`;
  return allowed.includes(there)
    ? undefined
    : `src/${here} may import the shared vocabulary and ${allowed.join(', ') || 'nothing else'}`;
}

function stationOf(file: string): string {
  if (PROGRAMS.includes(file)) return 'root-program';
  return file.includes('/') ? (file.split('/')[0] as string) : 'root';
}
