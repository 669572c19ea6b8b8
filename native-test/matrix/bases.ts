/** The configurations of Debian, around which that of `signet config` goes, and how a server is started with both. */
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { KeyKind } from './cells.js';
import { type Files, fileOf } from './printed-files.js';
import { type Running, start } from './processes.js';
import { apacheModules } from './programs/apache.js';
import type { Site } from './site.js';

export interface Base {
  /** The options of `signet config` for its certificate and key. */
  credentials(site: Site, kind: KeyKind): string[];
  start(site: Site, files: Files, env: NodeJS.ProcessEnv, port: number): Running;
  readonly end: NodeJS.Signals;
}

export const BASES = {
  nginx: { credentials: apart, start: nginx, end: 'SIGQUIT' },
  haproxy: { credentials: (site, kind) => ['--certificate', site.combined(kind)], start: haproxy, end: 'SIGUSR1' },
  apache: { credentials: apart, start: apache, end: 'SIGTERM' },
} as const satisfies Record<string, Base>;

function apart(site: Site, kind: KeyKind): string[] {
  return ['--certificate', site.certificate(kind), '--key-file', site.reference(kind), '--name', `${kind}.signet.test`];
}

/** As Debian's nginx.conf, with the places that it includes. */
function nginx(site: Site, files: Files, env: NodeJS.ProcessEnv): Running {
  const name = `${fileOf(files, 'server')}.main`;
  const user = process.getuid?.() === 0 ? `user ${userInfo().username} root;` : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (what) => `${what}_temp_path ${name}.tmp;`,
  );
  writeFileSync(
    name,
    `${user} worker_processes 1; daemon off; pid ${name}.pid; error_log ${name}.log info;
include ${fileOf(files, 'environment')};
events { worker_connections 768; }
http { access_log off; ${temporary.join(' ')} include ${fileOf(files, 'server')}; }
`,
  );
  return start('nginx', ['-p', site.folder, '-e', `${name}.log`, '-c', name], `${name}.out`, env);
}

/** As Debian's haproxy.cfg and unit, but for the chroot and the user. */
function haproxy(_site: Site, files: Files, env: NodeJS.ProcessEnv): Running {
  const name = `${fileOf(files, 'server')}.main`;
  writeFileSync(
    name,
    'global\n  maxconn 2000\ndefaults\n  mode http\n  timeout connect 5000\n  timeout client 50000\n  timeout server 50000\n',
  );
  const [extra = ''] = /-f .*/.exec(env.EXTRAOPTS ?? '') ?? [];
  if (extra === '') throw new Error('the drop-in does not name the file of the server');
  return start('haproxy', ['-db', '-W', '-f', name, '-f', fileOf(files, 'server')], `${name}.log`, env);
}

function apache(site: Site, files: Files, env: NodeJS.ProcessEnv, port: number): Running {
  const name = `${fileOf(files, 'server')}.main`;
  writeFileSync(
    name,
    `${apacheModules('mpm_event', 'authz_core', 'socache_shmcb', 'ssl', 'proxy', 'proxy_http')}
${process.getuid?.() === 0 ? 'User nobody\nGroup nogroup' : ''}
ServerRoot ${site.folder}\nServerName localhost\nDefaultRuntimeDir ${site.folder}\nPidFile ${name}.pid\nErrorLog ${name}.log\nListen 127.0.0.1:${port}
Include ${fileOf(files, 'server')}
`,
  );
  return start('apache2', ['-DFOREGROUND', '-f', name], `${name}.log`, env);
}
