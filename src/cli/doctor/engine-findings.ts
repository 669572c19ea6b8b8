import { existsSync } from 'node:fs';
import { type Finding, fault, fine } from './finding.js';
import { enginesOf, type Named, type OpensslConf } from './openssl-conf-file.js';

const PRINT = '"signet config nginx --engine KEY --part openssl" prints one that is right';

/** What an openssl.cnf says of the engine, and the sockets that it names, if it does; undefined: it loads no engine of Signet's. */
export function lookAtEngine(path: string, conf: OpensslConf): { findings: Finding[]; sockets?: string } | undefined {
  const engine = enginesOf(conf)?.find(isSignet);
  if (engine === undefined) return undefined;
  const sockets = engine.values.get('SOCKETS');
  return { findings: [library(path, engine), initialisation(path, engine)], ...(sockets !== undefined && { sockets }) };
}

function isSignet({ name, values }: Named): boolean {
  return (values.get('engine_id') ?? name) === 'signet';
}

function library(path: string, { values }: Named): Finding {
  const file = values.get('dynamic_path');
  if (file === undefined) return fine('module-path', `${path} loads the engine from OpenSSL's own folder`);
  if (existsSync(file)) return fine('module-path', `${path} loads ${file}`);
  return fault('module-path', `${path} loads ${file}, which is not there`, `correct "dynamic_path =" there; ${PRINT}`);
}

function initialisation(path: string, { values }: Named): Finding {
  if (values.get('init') === '1') return fine('engine-init', `${path} has the engine initialised`);
  return fault(
    'engine-init',
    `${path} does not have the engine initialised, and NGINX does not do it`,
    'write "init = 1" at the end of its section',
  );
}
