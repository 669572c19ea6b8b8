import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Section by section, name by name, in the order of the file; what comes later under a name stands in its place (config(5)). */
export type OpensslConf = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** The section of what stands before all sections. */
const FIRST = 'default';
const INCLUDES_MAX = 8;

/** Reads an openssl.cnf with what it includes. Throws if a file cannot be read. */
export function readOpensslConf(path: string): OpensslConf {
  const sections = new Map<string, Map<string, string>>();
  read(path, sections, FIRST, 0);
  return sections;
}

/** Gives the section at the end of the file. */
function read(path: string, sections: Map<string, Map<string, string>>, from: string, depth: number): string {
  let section = from;
  const text = readFileSync(path, 'utf8').replaceAll('\\\n', '');
  for (const line of text.split('\n').map((whole) => whole.replace(/#.*/, '').trim())) {
    const [, header] = /^\[\s*([^\]]*?)\s*\]$/.exec(line) ?? [];
    const [, include] = /^\.include\s*=?\s*(.*)$/.exec(line) ?? [];
    const [, name, value] = /^([^=]+?)\s*=\s*(.*)$/.exec(line) ?? [];
    if (header !== undefined) section = header;
    else if (include !== undefined && depth < INCLUDES_MAX) {
      for (const file of filesOf(resolve(dirname(path), include))) section = read(file, sections, section, depth + 1);
    } else if (include === undefined && name !== undefined) valuesOf(sections, section).set(name, value ?? '');
  }
  return section;
}

function valuesOf(sections: Map<string, Map<string, string>>, name: string): Map<string, string> {
  const values = sections.get(name) ?? new Map<string, string>();
  sections.set(name, values);
  return values;
}

/** A folder includes what is in it. */
function filesOf(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => /\.(cnf|conf)$/.test(name))
    .map((name) => `${path}/${name}`);
}

/** A provider or an engine that the file has OpenSSL load, in the order of the file. */
export interface Named {
  readonly name: string;
  readonly values: ReadonlyMap<string, string>;
}

/** Undefined: the file says nothing of providers. */
export function providersOf(conf: OpensslConf): Named[] | undefined {
  return listOf(conf, 'providers');
}

/** Undefined: the file says nothing of engines. */
export function enginesOf(conf: OpensslConf): Named[] | undefined {
  return listOf(conf, 'engines');
}

function listOf(conf: OpensslConf, what: string): Named[] | undefined {
  const init = conf.get(conf.get(FIRST)?.get('openssl_conf') ?? '');
  const list = conf.get(init?.get(what) ?? '');
  if (list === undefined) return undefined;
  return [...list].map(([name, section]) => ({ name, values: conf.get(section) ?? new Map() }));
}
