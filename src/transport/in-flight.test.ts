import t from 'tap';
import { oldSpaceGrowth } from '../../test/fixtures/old-space.js';
import type { Cancel } from '../signing.js';
import { InFlight } from './in-flight.js';

t.test('what is in flight is found by its id until it is answered', async (t) => {
  const inFlight = new InFlight();
  const cancel = () => undefined;
  inFlight.add(7, cancel);
  t.equal(inFlight.has(7), true);
  t.equal(inFlight.get(7), cancel);
  t.equal(inFlight.has(8), false);
  t.equal(inFlight.get(8), undefined);
  t.equal(inFlight.delete(8), false);
  t.equal(inFlight.delete(7), true);
  t.equal(inFlight.delete(7), false);
  t.equal(inFlight.size, 0);
});

t.test('all can be taken out at once', async (t) => {
  const inFlight = new InFlight();
  const cancels = [1, 2, 0xffff_ffff].map((id) => {
    const cancel = () => undefined;
    inFlight.add(id, cancel);
    return cancel;
  });
  t.same(new Set(inFlight.takeAll()), new Set(cancels));
  t.equal(inFlight.size, 0);
  t.same(
    [1, 2, 0xffff_ffff].map((id) => inFlight.has(id)),
    [false, false, false],
  );
});

/** However a caller numbers its requests; a stride that is a power of two is the hard one for a table. */
const NUMBERINGS: Record<string, (n: number) => number> = {
  'one after the other': (n) => n + 1,
  'down from the last': (n) => 0xffff_ffff - n,
  'by a stride': (n) => ((n % 60_000) + 1) * 65_536,
  anyhow: (n) => (Math.imul(n + 1, 2_654_435_769) | 1) >>> 0,
};

for (const [numbering, idOf] of Object.entries(NUMBERINGS)) {
  t.test(`it does what a Map does, with ids ${numbering}`, async (t) => {
    const inFlight = new InFlight();
    const map = new Map<number, Cancel>();
    let random = 1;
    for (let n = 0; n < 20_000; n++) {
      random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
      const id = idOf(n);
      const cancel = () => undefined;
      if (!map.has(id)) {
        map.set(id, cancel);
        inFlight.add(id, cancel);
      }
      // About as many leave as come; they grow to some hundreds and shrink again, several times.
      const leave = (n >> 11) % 2 === 0 ? random >>> 30 : (random >>> 29) % 6;
      for (const old of [...map.keys()].slice(0, 8).filter((_, i) => i < leave)) {
        map.delete(old);
        if (!inFlight.delete(old)) t.fail(`${old} was in flight`);
      }
    }
    t.equal(inFlight.size, map.size);
    t.ok([...map].every(([id, cancel]) => inFlight.get(id) === cancel));
    t.same(new Set(inFlight.takeAll()), new Set(map.values()));
  });
}

t.test('what an old table has held does not grow old', async (t) => {
  const inFlight = new InFlight();
  const living = 100;
  const grownMiB = oldSpaceGrowth((thing, n) => {
    inFlight.add(n + 1, () => thing);
    if (n >= living) inFlight.delete(n + 1 - living);
  });
  t.ok(grownMiB < 4, `${grownMiB.toFixed(1)} MiB`);
});
