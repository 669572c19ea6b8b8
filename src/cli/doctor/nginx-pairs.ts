import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { Pair } from './certificate-findings.js';

/** Where Debian and the sources have it. */
const CONFS = ['/etc/nginx/nginx.conf', '/usr/local/nginx/conf/nginx.conf'];
const INCLUDES_MAX = 8;

/** The certificates and keys that NGINX's configuration names by files, those of servers and those for upstreams. */
export function nginxPairs(conf?: string): Pair[] {
  const file = conf ?? CONFS.find((place) => read(place) !== '');
  return file === undefined ? [] : pairsIn(file, dirname(file), 0);
}

/** A pair is a certificate and the key that follows it; relative names count from the folder of the main file. */
function pairsIn(file: string, prefix: string, depth: number): Pair[] {
  const pairs: Pair[] = [];
  let certificate: string | undefined;
  for (const [, directive, value = ''] of withoutComments(read(file)).matchAll(DIRECTIVE)) {
    const path = resolve(prefix, value.replace(/^["']|["']$/g, ''));
    if (directive === 'include') {
      if (depth < INCLUDES_MAX) pairs.push(...matches(path).flatMap((one) => pairsIn(one, prefix, depth + 1)));
    } else if (directive?.endsWith('certificate')) {
      certificate = isFile(value) ? path : undefined;
    } else {
      if (certificate !== undefined && isFile(value)) pairs.push({ certificate, keyFile: path, place: file });
      certificate = undefined;
    }
  }
  return pairs;
}

const DIRECTIVE = /(?:^|[\s;{}])(include|(?:\w+_)?ssl_certificate(?:_key)?)\s+("[^"]*"|'[^']*'|[^\s;]+)\s*;/g;

/** Neither a variable nor a key of an engine, a store or a text. */
function isFile(value: string): boolean {
  return !/\$|^["']?(engine|store|data):/.test(value);
}

function withoutComments(text: string): string {
  return text.replace(/(^|\s)#.*$/gm, '$1');
}

/** A pattern with `*` in its last part, as NGINX's own files have it. */
function matches(pattern: string): string[] {
  if (!pattern.includes('*')) return [pattern];
  const like = new RegExp(
    `^${basename(pattern)
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')}$`,
  );
  try {
    return readdirSync(dirname(pattern))
      .filter((name) => like.test(name))
      .sort()
      .map((name) => `${dirname(pattern)}/${name}`);
  } catch {
    return [];
  }
}

/** Empty if there is none. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
