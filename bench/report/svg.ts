import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Axis, Plot } from './plots.js';

/** Draws a plot, without a browser. */
export function svgOf(plot: Plot): Promise<string> {
  const view = new View(parse(compile(specOf(plot)).spec), { renderer: 'none' });
  return view.toSVG().finally(() => view.finalize());
}

function specOf({ title, x, y, points }: Plot): TopLevelSpec {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title,
    width: 560,
    height: 320,
    background: 'white',
    data: { values: [...points] },
    mark: { type: 'line', point: true },
    encoding: {
      x: { field: 'x', type: 'quantitative', title: x.title, scale: scaleOf(x) },
      y: { field: 'y', type: 'quantitative', title: y.title, scale: scaleOf(y) },
      color: { field: 'line', type: 'nominal', title: null, sort: null },
    },
  };
}

function scaleOf({ log }: Axis) {
  return log ? { type: 'log' as const, nice: false } : { zero: true };
}
