import t from 'tap';
import { curveOf, median, quantile } from './statistics.js';

t.test('the median is the middle, or the mean of the two in the middle', (t) => {
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([4, 1, 2, 3]), 2.5);
  t.ok(Number.isNaN(median([])), 'none has none');
  t.end();
});

t.test('a quantile is the nearest of the values', (t) => {
  const values = Float64Array.from({ length: 101 }, (_, i) => i);
  t.equal(quantile(values, 0), 0);
  t.equal(quantile(values, 0.5), 50);
  t.equal(quantile(values, 0.99), 99);
  t.equal(quantile(values, 1), 100);
  t.equal(quantile([], 0.5), 0, 'of none it is 0');
  t.end();
});

t.test('a curve goes as far as one value lies beyond it', (t) => {
  const curve = curveOf(Float64Array.from({ length: 1000 }, (_, i) => i + 1));
  t.same(curve[0], [1, 1], 'it begins with the smallest');
  t.same(curve.at(-1)?.[0], 1000, 'of a thousand, it ends at the 99.9th of 100');
  t.ok((curve.at(-1)?.[1] ?? 0) >= 999);
  t.same(curveOf([]), []);
  t.end();
});
