import {
  type Experiment,
  type KeyKind,
  type Load,
  type Run,
  SERVERS,
  type ServerName,
  type ServersWish,
  type ServiceWish,
} from './experiment.js';

/** `quick` has what the gates look at, in short runs, and nothing else; but for the servers with a slow token, which take long to start. */
export type Length = 'full' | 'quick';

/** Everything that `make bench` measures, in order. */
export function experiments(length: Length): Experiment[] {
  const quick = length === 'quick';
  const gated = { turns: quick ? 5 : 7, seconds: quick ? 0.3 : 1.5 };
  const always = [
    ...KEYS.map((key) => oneSigner(key, gated, quick)),
    front({ ...gated, seconds: quick ? 0.6 : 1.5 }, quick),
    ...KEYS.map((key) => peers(key, gated, quick)),
    keys(gated, quick ? [1, 10_000] : [1, 100, 10_000]),
    connections(gated, quick ? [10, 1000] : [1, 10, 100, 1000]),
    manySessions({ ...gated, seconds: quick ? 0.7 : 2 }),
    handshakes({ turns: 5, seconds: quick ? 0.6 : 0.8 }, quick),
  ];
  if (quick) return always;
  const sweep = { turns: 3, seconds: 0.7 };
  return [...KEYS.map((key) => floors(key, sweep)), ...always, ...sweeps(sweep)];
}

type Lengths = Pick<Experiment, 'turns' | 'seconds'>;

const KEYS: readonly KeyKind[] = ['p256', 'rsa2048'];

function sweeps(lengths: Lengths): Experiment[] {
  return [
    inFlight(lengths),
    signers(lengths),
    openLoop({ turns: 3, seconds: 3 }),
    overload({ turns: 3, seconds: 1.5 }),
    otherHandshakes({ turns: 3, seconds: 0.5 }),
    slowHandshakes({ turns: 3, seconds: 0.8 }),
    slowToken({ turns: 7, seconds: 2 }),
    plainPages({ turns: 7, seconds: 3 }),
  ];
}

function on(key: KeyKind, more: Omit<ServiceWish, 'kind' | 'key'> = {}): ServiceWish {
  return { kind: 'service', key, ...more };
}

function socket(inFlight: number, connections = 1): Load {
  return { by: 'socket', connections, pace: { inFlight } };
}

function grpc(carrier: 'unary' | 'stream', over: 'unix' | 'mtls', inFlight: number): Load {
  return { by: 'grpc', carrier, over, pace: { inFlight } };
}

/**
 * A service is as fast as V8 has compiled it after some thousand requests. Where a signature takes more than a millisecond these do not
 * come by themselves before what is counted.
 */
const COMPILED_SECONDS = 6;

function firstOf(key: KeyKind, quick: boolean): Pick<Run, 'firstSeconds'> {
  return key === 'rsa2048' && !quick ? { firstSeconds: COMPILED_SECONDS } : {};
}

function oneSigner(key: KeyKind, lengths: Lengths, quick: boolean): Experiment {
  const site = on(key);
  return {
    name: `one-signer-${key}`,
    question: `How far is one signer from one session of a C loop on the same token (${key})?`,
    ...lengths,
    runs: [
      { name: 'C loop', on: site, load: { by: 'floor', sessions: 1 } },
      { name: 'socket, 8 in flight', on: site, load: socket(8), ...firstOf(key, quick) },
      { name: '4 clients', on: site, load: { by: 'clients', clients: 4 } },
      { name: '1 client', on: site, load: { by: 'clients', clients: 1 } },
    ],
  };
}

/** What is measured is the front's CPU time, whatever the others take. */
function front(lengths: Lengths, quick: boolean): Experiment {
  const site = on('p256', { token: 'null', signers: 2 });
  const at64 = (name: string, load: Load): Run => ({ name, on: site, load });
  const overMtls = [
    at64('gRPC stream, mTLS', grpc('stream', 'mtls', 64)),
    at64('gRPC unary, mTLS', grpc('unary', 'mtls', 64)),
  ];
  return {
    name: 'front',
    question: 'What does a request cost the front, when the token costs nothing? 64 in flight on a connection.',
    ...lengths,
    runs: [
      at64('socket', socket(64)),
      at64('gRPC stream', grpc('stream', 'unix', 64)),
      at64('gRPC unary', grpc('unary', 'unix', 64)),
      ...(quick ? [] : overMtls),
    ],
  };
}

function peers(key: KeyKind, lengths: Lengths, quick: boolean): Experiment {
  const site = on(key, { signers: 2 });
  // Its server has a process for each of its callers' processes, and one thread in it.
  const many: Run = { name: 'p11-kit, 4 processes', on: site, load: { by: 'p11-kit', sessions: 4, processes: 4 } };
  return {
    name: `peers-${key}`,
    question: `Is it faster than p11-kit's remoting on the same token (${key})? 4 clients, 2 signers.`,
    ...lengths,
    runs: [
      { name: 'p11-kit, 4 threads', on: site, load: { by: 'p11-kit', sessions: 4, processes: 1 } },
      { name: 'signet, 4 threads', on: site, load: { by: 'clients', clients: 4 }, ...firstOf(key, quick) },
      ...(quick ? [] : [many]),
    ],
  };
}

/** Until every key has been used: its first signature is verified. */
const EVERY_KEY_SECONDS = 4;

function keys(lengths: Lengths, counts: readonly number[]): Experiment {
  return {
    name: 'keys',
    question: 'What do many keys cost? P-256, 1 signer, 64 in flight over the keys in turn.',
    ...lengths,
    runs: counts.map((x) => ({
      name: `${x} keys`,
      line: 'socket',
      x,
      on: on('p256', { token: { keys: x } }),
      load: socket(64),
      ...(x > 1 && { firstSeconds: EVERY_KEY_SECONDS }),
    })),
  };
}

function connections(lengths: Lengths, counts: readonly number[]): Experiment {
  return {
    name: 'connections',
    question: 'What do many connections cost? P-256, 2 signers, 64 in flight over the connections in turn.',
    ...lengths,
    runs: counts.map((x) => ({
      name: `${x} connections`,
      line: 'socket',
      x,
      on: on('p256', { signers: 2 }),
      load: socket(64, x),
    })),
  };
}

function manySessions(lengths: Lengths): Experiment {
  const site = on('p256', { token: 10, signers: 2, sessions: 16 });
  return {
    name: 'many-sessions',
    question: 'How much of a token of 10 ms with 32 sessions is reached? 2 signers of 16.',
    ...lengths,
    runs: [
      { name: 'C loop', on: site, load: { by: 'floor', sessions: 32 } },
      { name: 'socket', on: site, load: socket(96) },
    ],
  };
}

const SOFTHSM: ServersWish = { kind: 'servers', token: 'softhsm' };
const SLOW: ServersWish = { kind: 'servers', token: 'slow' };

/** At once: one, so that what a worker waits for is the signature and not the load's own CPU time; many, for the throughput. */
const ONE = 1;
const MANY = 32;

/** What the gates compare. */
const GATED: readonly [ServerName, number][] = [
  ['nginx-provider', ONE],
  ['nginx-libp11-softhsm', ONE],
  ['nginx-file', ONE],
  ['nginx-async', MANY],
  ['nginx-file-beside', MANY],
  ['nginx-file', MANY],
];

function handshakes(lengths: Lengths, quick: boolean): Experiment {
  const all = SERVERS.flatMap((server): [ServerName, number][] => [
    [server, ONE],
    [server, MANY],
  ]);
  return {
    name: 'handshakes',
    question:
      "What does a full handshake cost a web server's worker, alone on its core, with the key in each of its places?",
    ...lengths,
    runs: (quick ? GATED : all).map(([server, concurrent]) => handshakesOf(server, 'ec', '1.3', concurrent)),
  };
}

const P256 = { by: 'handshakes', key: 'ec', version: '1.3' } as const;

/** So that a page comes at another moment of a handshake each time: a multiple of the handshakes' would always come at the same. */
const PAGES_PER_SECOND = 487;

/**
 * Who wants a plain page is not to notice that others wait for a token. Handshakes and pages are begun at constant rates whatever becomes of
 * them, ten handshakes lie in the token at any time, and a run whose handshakes fail or do not keep up is none. "None is slower" is taken turn by
 * turn: the slowest page of a turn against the slowest with the key in a file right beside it, and the worst turn counts.
 * The blocking provider cannot take part: 200 a second ask for 10 s of its worker's time.
 */
/** What the issue of a worker that does not wait asks for: as fast as with the key in a file, or as the token. */
function slowToken(lengths: Lengths): Experiment {
  const run = (server: ServerName, key: 'ec' | 'rsa', version: '1.2' | '1.3', tokenMs: number): Run => ({
    name: `${server}, ${key}, TLS ${version}, token of ${tokenMs} ms`,
    on: SLOW,
    load: { by: 'handshakes', server, key, version, pace: { atOnce: MANY }, tokenMs },
  });
  return {
    name: 'slow-token',
    question: 'Is a worker with a slow token as fast as with the key in a file? 32 handshakes at once, 32 sessions.',
    ...lengths,
    runs: [
      ...(['1.3', '1.2'] as const).flatMap((version) =>
        (['nginx-file', 'nginx-async'] as const).map((server) => run(server, 'ec', version, 2)),
      ),
      ...(['nginx-file', 'nginx-provider', 'nginx-async'] as const).map((server) => run(server, 'rsa', '1.3', 10)),
    ],
  };
}

function plainPages(lengths: Lengths): Experiment {
  return {
    name: 'plain-pages',
    question:
      'Does a plain page wait for the token? One worker, 200 new TLS connections a second (P-256, TLS 1.3), a token of 50 ms, 32 sessions.',
    ...lengths,
    runs: (['nginx-file', 'nginx-async'] as const).map((server) => ({
      name: server,
      on: SLOW,
      load: { ...P256, server, pace: { perSecond: 200 }, tokenMs: 50, pagesPerSecond: PAGES_PER_SECOND },
    })),
  };
}

function otherHandshakes(lengths: Lengths): Experiment {
  const kinds = [
    ['ec', '1.2'],
    ['rsa', '1.3'],
    ['rsa', '1.2'],
  ] as const;
  return {
    name: 'other-handshakes',
    question: 'And with TLS 1.2, and with RSA-2048?',
    ...lengths,
    runs: kinds.flatMap(([key, version]) => SERVERS.map((server) => handshakesOf(server, key, version, MANY))),
  };
}

function handshakesOf(server: ServerName, key: 'ec' | 'rsa', version: '1.2' | '1.3', concurrent: number): Run {
  return {
    name: `${server}, ${key}, TLS ${version}, ${concurrent} at once`,
    on: SOFTHSM,
    load: { by: 'handshakes', server, key, version, pace: { atOnce: concurrent } },
  };
}

const SIZES = [1, 2, 4, 16, 64];

function floors(key: KeyKind, lengths: Lengths): Experiment {
  const site = on(key);
  const line = (name: string, load: (sessions: number) => Load): Run[] =>
    SIZES.map((x) => ({ name: `${name}, ${x}`, line: name, x, on: site, load: load(x) }));
  return {
    name: `floor-${key}`,
    question: `What can the token do alone, and libcrypto beside it, by sessions (${key})?`,
    ...lengths,
    runs: [
      ...line('token, one process', (sessions) => ({ by: 'floor', sessions })),
      ...line('token, a process each', (sessions) => ({ by: 'floor', sessions, processes: sessions })),
      ...line('libcrypto, one process', (sessions) => ({ by: 'openssl', sessions })),
    ],
  };
}

function inFlight(lengths: Lengths): Experiment {
  const site = on('p256', { signers: 2 });
  const line = (name: string, load: (inFlight: number) => Load): Run[] =>
    [1, 4, 16, 64, 256, 1024].map((x) => ({ name: `${name}, ${x}`, line: name, x, on: site, load: load(x) }));
  return {
    name: 'in-flight',
    question: 'How does the throughput grow with the requests in flight on a connection? P-256, 2 signers.',
    ...lengths,
    runs: [
      { name: 'C loop, 2 sessions', line: 'C loop, 2 sessions', on: site, load: { by: 'floor', sessions: 2 } },
      ...line('socket', socket),
      ...line('gRPC stream', (n) => grpc('stream', 'unix', n)),
      ...line('gRPC stream, mTLS', (n) => grpc('stream', 'mtls', n)),
      ...line('gRPC unary', (n) => grpc('unary', 'unix', n)),
      ...line('gRPC unary, mTLS', (n) => grpc('unary', 'mtls', n)),
    ],
  };
}

function signers(lengths: Lengths): Experiment {
  // More signers than cores are of use only to a token that takes its time.
  const runs = [0, 0.5, 2, 10].flatMap((token) =>
    (token < 1 ? [1, 2, 4] : [1, 4, 16]).flatMap((x): Run[] => {
      const site = on('p256', { token, signers: x });
      return [
        {
          name: `${token} ms, C loop, ${x}`,
          line: `${token} ms, C loop`,
          x,
          on: site,
          load: { by: 'floor', sessions: x },
        },
        { name: `${token} ms, ${x} signers`, line: `${token} ms, signet`, x, on: site, load: socket(4 * x) },
      ];
    }),
  );
  return {
    name: 'signers',
    question: 'How does it scale with signers, by what the token takes? P-256; 4 in flight for each signer.',
    ...lengths,
    runs,
  };
}

/** Until it is known what an open loop takes its share of. */
const REFERENCE_SECONDS = 2;

function openLoop(lengths: Lengths): Experiment {
  const site = on('p256', { signers: 2 });
  const at = (name: string, of: string, load: (rate: { of: string; share: number }) => Load): Run => ({
    name,
    line: name,
    on: site,
    load: load({ of, share: 0.5 }),
  });
  const CLOSED = 'gRPC unary, closed loop';
  return {
    name: 'open-loop',
    question:
      'How long does one wait? An open loop at half of what gRPC unary can do, for all carriers; P-256, 2 signers.',
    ...lengths,
    runs: [
      { name: CLOSED, on: site, load: grpc('unary', 'unix', 64), firstSeconds: REFERENCE_SECONDS },
      at('socket', CLOSED, (rate) => ({ by: 'socket', connections: 8, pace: { rate } })),
      at('gRPC stream', CLOSED, (rate) => ({ by: 'grpc', carrier: 'stream', over: 'unix', pace: { rate } })),
      at('gRPC unary', CLOSED, (rate) => ({ by: 'grpc', carrier: 'unary', over: 'unix', pace: { rate } })),
    ],
  };
}

function overload(lengths: Lengths): Experiment {
  const site = on('p256', { token: 2, signers: 2 });
  const CLOSED = 'closed loop';
  return {
    name: 'overload',
    question: 'What happens when more is asked than the token can do? A token of 2 ms with 2 sessions, an open loop.',
    ...lengths,
    runs: [
      { name: CLOSED, on: site, load: socket(64), firstSeconds: REFERENCE_SECONDS },
      ...[0.5, 0.8, 1, 1.2, 2, 5].map(
        (share): Run => ({
          name: `${share} of it`,
          line: 'signed',
          x: share,
          on: site,
          load: { by: 'socket', connections: 8, pace: { rate: { of: CLOSED, share } } },
        }),
      ),
    ],
  };
}

function slowHandshakes(lengths: Lengths): Experiment {
  const runs = (['nginx-file', 'nginx-provider', 'nginx-libp11', 'nginx-async'] as const).flatMap((server) =>
    [0, 0.5, 2, 10].map((tokenMs) => ({
      name: `${server}, ${tokenMs} ms`,
      line: server,
      x: tokenMs,
      on: SLOW,
      load: { ...P256, server, pace: { atOnce: MANY }, tokenMs, pagesPerSecond: 100 },
    })),
  );
  return {
    name: 'slow-handshakes',
    question: 'How many handshakes does one worker make, by what the token takes? P-256, TLS 1.3, 32 sessions.',
    ...lengths,
    runs,
  };
}
