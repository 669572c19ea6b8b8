import t from 'tap';
import type { Experiment, Load, SiteWish } from './experiment.js';
import { measure } from './measure.js';
import type { Sample } from './measured.js';
import type { Site } from './site.js';

const HERE: SiteWish = { kind: 'service', key: 'p256' };
const THERE: SiteWish = { kind: 'service', key: 'rsa2048' };
const FLOOR: Load = { by: 'floor', sessions: 1 };

function experiment(...runs: [string, SiteWish, Load][]): Experiment {
  const named = runs.map(([name, on, load]) => ({ name, on, load }));
  return { name: 'e', question: 'what?', turns: 3, seconds: 2, runs: named };
}

/** Sites that measure nothing and tell what was asked of them. */
function fakeSites({ failing = false, without = '' } = {}) {
  const seen = { started: [] as string[], ended: 0, measured: [] as string[], rates: [] as (number | undefined)[] };
  const start = async (wish: SiteWish): Promise<Site> => {
    seen.started.push(wish.kind === 'service' ? wish.key : wish.token);
    return {
      offers: (load) => load.by !== without,
      async measure(load, seconds, rate) {
        if (failing) throw new Error('no luck');
        seen.measured.push(`${load.by} ${seconds}`);
        seen.rates.push(rate);
        return { per_second: 100 + seen.measured.length } as Sample;
      },
      end: async () => {
        seen.ended += 1;
      },
    };
  };
  return { seen, start };
}

t.test('runs take turns, every other turn backwards, after one turn that does not count', async (t) => {
  const { seen, start } = fakeSites();
  const clients: Load = { by: 'clients', clients: 1 };
  const { runs } = await measure(experiment(['a', HERE, FLOOR], ['b', HERE, clients]), start);
  const names = seen.measured.map((each) => each.split(' ')[0]);
  t.same(names, ['floor', 'clients', 'floor', 'clients', 'clients', 'floor', 'floor', 'clients']);
  t.same(
    seen.measured.slice(2).every((each) => each.endsWith(' 2')),
    true,
    'each as long as wished',
  );
  t.same(
    runs.map(({ samples }) => samples.map(({ per_second }) => per_second)),
    [
      [103, 106, 107],
      [104, 105, 108],
    ],
  );
});

t.test('equal sites are one, and all are ended', async (t) => {
  const { seen, start } = fakeSites();
  await measure(experiment(['a', HERE, FLOOR], ['b', { ...HERE }, FLOOR], ['c', THERE, FLOOR]), start);
  t.same(seen.started, ['p256', 'rsa2048']);
  t.equal(seen.ended, 2);
});

t.test('sites are ended when a load fails', async (t) => {
  const { seen, start } = fakeSites({ failing: true });
  await t.rejects(measure(experiment(['a', HERE, FLOOR]), start), /no luck/);
  t.equal(seen.ended, 1);
});

t.test('an open loop takes its share of what the other run did', async (t) => {
  const { seen, start } = fakeSites();
  const load: Load = { by: 'socket', pace: { rate: { of: 'a', share: 0.5 } } };
  await measure(experiment(['a', HERE, FLOOR], ['b', HERE, load]), start);
  t.same(seen.rates.slice(0, 2), [undefined, 50.5]);
  const lost: Load = { by: 'socket', pace: { rate: { of: 'nobody', share: 0.5 } } };
  await t.rejects(measure(experiment(['b', HERE, lost]), start), /"nobody", which is no run before it/);
});

t.test('what a site does not offer is left out', async (t) => {
  const { start } = fakeSites({ without: 'p11-kit' });
  const peer: Load = { by: 'p11-kit', sessions: 1, processes: 1 };
  const { runs } = await measure(experiment(['a', HERE, FLOOR], ['b', HERE, peer]), start);
  t.same(
    runs.map(({ name }) => name),
    ['a'],
  );
});
