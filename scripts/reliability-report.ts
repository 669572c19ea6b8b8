/**
 * `make reliability`: puts what the tests recorded into PAGE.json, over the figures that stand there, and writes PAGE.md from all of
 * them. reliability-report.ts RESULTS-FOLDER PAGE
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordedFigure } from '../test/reliability/measured-goal.js';
import { holds, merged, reliabilityPage } from './reliability/report.js';

const [folder = '', page = ''] = process.argv.slice(2);
const recorded = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.json')) : [];
const news = recorded.map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as RecordedFigure);
const known: RecordedFigure[] = existsSync(`${page}.json`) ? JSON.parse(readFileSync(`${page}.json`, 'utf8')) : [];
const figures = merged(known, news);
writeFileSync(`${page}.json`, `${JSON.stringify(figures, null, 2)}\n`);
writeFileSync(`${page}.md`, reliabilityPage(figures));
console.log(
  `${page}.md: ${figures.length} figures, ${figures.filter((figure) => !holds(figure)).length} miss their goal`,
);
