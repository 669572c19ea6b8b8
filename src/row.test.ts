import t from 'tap';
import { oldSpaceGrowth } from '../test/fixtures/old-space.js';
import { type Place, Row } from './row.js';

t.test('things stand in the order in which they came, whoever leaves', async (t) => {
  const row = new Row<string>();
  t.same([row.first, row.last, row.size], [undefined, undefined, 0]);
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((thing) => row.add(thing)) as [Place, Place, Place, Place];
  row.remove(b);
  t.same([...row], ['a', 'c', 'd']);
  row.remove(a);
  row.remove(d);
  t.same([row.first, row.last, row.size], ['c', 'c', 1]);
  row.add('e');
  row.remove(c);
  t.same([...row], ['e']);
});

t.test('the one that is looked at may leave', async (t) => {
  const row = new Row<number>();
  const places = [0, 1, 2].map((thing) => row.add(thing));
  const seen: number[] = [];
  for (const thing of row) {
    seen.push(thing);
    row.remove(places[thing] as Place);
  }
  t.same(seen, [0, 1, 2]);
  t.equal(row.size, 0);
});

t.test('one that has left holds on to no other', async (t) => {
  const row = new Row<number>();
  const places = [0, 1, 2].map((thing) => row.add(thing));
  row.remove(places[1] as Place);
  t.strictSame(places[1], { thing: 1, before: undefined, after: undefined });
});

t.test('what has left an old row does not grow old', async (t) => {
  const row = new Row<object>();
  const places: Place[] = [];
  const grownMiB = oldSpaceGrowth((thing, n) => {
    if (n >= LIVING) row.remove(places[n % LIVING] as Place);
    places[n % LIVING] = row.add(thing);
  });
  t.ok(grownMiB < 4, `${grownMiB.toFixed(1)} MiB`);
});

const LIVING = 100;
