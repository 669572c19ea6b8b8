import type { ExperimentResult, RunResult } from '../measure.js';
import type { Figure, Sample } from '../measured.js';
import { median } from '../statistics.js';

/** A point of a line; `line` stands in the legend. */
export interface Point {
  readonly line: string;
  readonly x: number;
  readonly y: number;
}

/** A picture of lines over an axis. */
export interface Plot {
  /** The file's name, without its ending. */
  readonly name: string;
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly points: readonly Point[];
}

export interface Axis {
  readonly title: string;
  readonly log?: boolean;
}

/** The plots of what was measured. */
export function plotsOf(results: readonly ExperimentResult[]): Plot[] {
  const of: RunsOf = (name) => results.find((candidate) => candidate.name === name)?.runs ?? [];
  const plots = [
    throughput(of),
    latency(of),
    cost(of),
    ...overload(of),
    slowHandshakes(of),
    signers(of),
    ...floors(of),
  ];
  return plots.filter(({ points }) => points.length > 0);
}

type RunsOf = (experiment: string) => readonly RunResult[];

function throughput(of: RunsOf): Plot {
  return {
    name: 'in-flight',
    title: 'Throughput against requests in flight (P-256, 2 signers)',
    x: { title: 'in flight', log: true },
    y: PER_SECOND,
    points: across(lines(of('in-flight'), 'per_second')),
  };
}

function latency(of: RunsOf): Plot {
  return {
    name: 'latency',
    title: 'Latency against 1/(1-q), open loop (P-256, 2 signers)',
    x: { title: '1/(1-q): 10 is the 90th, 1000 the 99.9th of 100', log: true },
    y: { title: 'microseconds', log: true },
    points: of('open-loop').flatMap(curve),
  };
}

function cost(of: RunsOf): Plot {
  return {
    name: 'keys-and-connections',
    title: "The front's CPU time against keys and connections (P-256)",
    x: { title: 'keys, connections', log: true },
    y: { title: 'microseconds for each signature' },
    points: [...lines(of('keys'), 'front_us', 'keys'), ...lines(of('connections'), 'front_us', 'connections')],
  };
}

function overload(of: RunsOf): Plot[] {
  const runs = of('overload');
  const milliseconds = (figure: Figure, line: string) =>
    lines(runs, figure, line).flatMap((point) => (point.y > 0 ? [{ ...point, y: point.y / 1000 }] : []));
  const x = { title: 'asked for, of what a closed loop reaches' };
  return [
    {
      name: 'overload',
      title: 'More than the token can do (2 ms, 2 sessions), open loop',
      x,
      y: PER_SECOND,
      points: [...lines(runs, 'per_second', 'signed'), ...lines(runs, 'refused_per_second', 'refused')],
    },
    {
      name: 'overload-latency',
      title: 'How long they waited under overload',
      x,
      y: { title: 'milliseconds', log: true },
      points: [
        ...milliseconds('p50_us', 'signed, median'),
        ...milliseconds('p99_us', 'signed, p99'),
        ...milliseconds('refused_p99_us', 'refused, p99'),
      ],
    },
  ];
}

function slowHandshakes(of: RunsOf): Plot {
  return {
    name: 'slow-handshakes',
    title: 'Handshakes of one NGINX worker against what the token takes (P-256, TLS 1.3)',
    x: { title: 'milliseconds of a signature in the token' },
    y: { title: 'handshakes/s' },
    points: lines(of('slow-handshakes'), 'per_second'),
  };
}

function signers(of: RunsOf): Plot {
  return {
    name: 'signers',
    title: 'Throughput against signers, by what the token takes (P-256)',
    x: { title: 'signers, or sessions of the C loop', log: true },
    y: { ...PER_SECOND, log: true },
    points: lines(of('signers'), 'per_second'),
  };
}

function floors(of: RunsOf): Plot[] {
  return ['p256', 'rsa2048'].map((key) => ({
    name: `floor-${key}`,
    title: `The token alone, against sessions (${key})`,
    x: { title: 'sessions', log: true },
    y: PER_SECOND,
    points: lines(of(`floor-${key}`), 'per_second'),
  }));
}

const PER_SECOND = { title: 'signatures/s' };

function lines(runs: readonly RunResult[], figure: Figure, name?: string): Point[] {
  return runs.flatMap(({ line, x, samples }) =>
    line === undefined ? [] : [{ line: name ?? line, x: x ?? Number.NaN, y: medianOf(samples, figure) }],
  );
}

/** What has no place on the axis is a level: a line from end to end. */
function across(points: readonly Point[]): Point[] {
  const places = points.map(({ x }) => x).filter((x) => !Number.isNaN(x));
  const ends = [Math.min(...places), Math.max(...places)];
  return points.flatMap((point) => (Number.isNaN(point.x) ? ends.map((x) => ({ ...point, x })) : [point]));
}

export function medianOf(samples: readonly Sample[], figure: Figure): number {
  return median(samples.map((sample) => sample[figure] ?? Number.NaN));
}

/** At each place the median of the turns, as far as every turn goes. */
function curve({ line, samples }: RunResult): Point[] {
  if (line === undefined) return [];
  const curves = samples.map((sample) => sample.curve ?? []);
  const shortest = Math.min(...curves.map(({ length }) => length));
  return Array.from({ length: shortest }, (_, i) => ({
    line,
    x: curves[0]?.[i]?.[0] ?? 1,
    y: median(curves.map((points) => points[i]?.[1] ?? Number.NaN)),
  }));
}
