import t from 'tap';
import { oldSpaceGrowth } from '../test/fixtures/old-space.js';
import { Slots } from './slots.js';

t.test('what was added is taken out once, by its id, in any order', async (t) => {
  const slots = new Slots<string>();
  const [a, b, c] = ['a', 'b', 'c'].map((thing) => slots.add(thing)) as [number, number, number];
  t.equal(slots.take(b), 'b');
  t.equal(slots.take(b), undefined);
  const d = slots.add('d');
  t.equal(new Set([a, b, c, d]).size, 4, 'the slot of b, and another id');
  t.equal(slots.take(b), undefined);
  t.same([slots.take(d), slots.take(a), slots.take(c)], ['d', 'a', 'c']);
  for (const id of [0, 1, 7 * 65_536, 0xffff_ffff]) t.equal(slots.take(id), undefined);
});

t.test('ids have 32 bits, are never 0, and do not come again soon', async (t) => {
  const slots = new Slots<number>();
  const lately = new Set<number>();
  for (let n = 0; n < 200_000; n++) {
    if (n % 65_535 === 0) lately.clear();
    const id = slots.add(n);
    if (id < 1 || id > 0xffff_ffff || lately.has(id)) t.fail(`${id}, the ${n}th`);
    lately.add(id);
    slots.take(id);
  }
  t.pass();
});

t.test('more than there are slots is an error', async (t) => {
  const slots = new Slots<number>();
  for (let n = 0; n < 65_536; n++) slots.add(n);
  t.throws(() => slots.add(0), { message: /at most 65536/ });
});

t.test('what was taken out is let go', async (t) => {
  const slots = new Slots<object>();
  const ids: number[] = [];
  const grownMiB = oldSpaceGrowth((thing, n) => {
    if (n >= 100) slots.take(ids[n % 100] as number);
    ids[n % 100] = slots.add(thing);
  });
  t.ok(grownMiB < 4, `${grownMiB.toFixed(1)} MiB`);
});
