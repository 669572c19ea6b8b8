import { readFileSync } from 'node:fs';
import t from 'tap';
import { initFolder, signet } from '../../../test/fixtures/command-line.js';
import { haproxyChroot } from './servers.js';

const SERVERS = ['nginx', 'haproxy', 'apache'];

t.test('each server gets openssl.cnf, its drop-in and itself, each under the line of its place', async (t) => {
  for (const server of SERVERS) {
    const { code, stdout } = await signet(['config', server, '--sockets', '/run/a.sock:/run/b.sock']);
    t.equal(code, 0);
    t.match(stdout, '# ---- /etc/signet/openssl.cnf: ');
    t.match(stdout, `# ---- /etc/systemd/system/${server === 'apache' ? 'apache2' : server}.service.d/signet.conf: `);
    t.match(stdout, 'sockets = /run/a.sock:/run/b.sock\n');
    t.ok(stdout.indexOf('\ndefault = ') < stdout.indexOf('\nsignet = '), 'default stands first');
  }
});

t.test('sockets and catalogue are those of the configuration, if there is one', async (t) => {
  const folder = await initFolder();
  t.teardown(() => folder.remove());
  const { stdout } = await folder.run(['config', 'openssl']);
  t.match(stdout, `sockets = ${folder.file('run/web.sock')}\ncatalogue = ${folder.file('run/catalogue')}\n`);
});

t.test('--part prints one file alone, and an unknown part is a usage error', async (t) => {
  const plain = await signet(['config', 'nginx', '--part', 'systemd', '--openssl-conf', '/etc/a b%.cnf']);
  t.equal(plain.stdout, '[Service]\nEnvironment="OPENSSL_CONF=/etc/a b%%.cnf"\n');
  t.match(await signet(['config', 'openssl', '--part', 'systemd']), { code: 2, stderr: /expected one of openssl;/ });
});

t.test('--async gives NGINX the preload library, and says so if it is not there', async (t) => {
  const library = '/nonexistent/signet_async.so';
  const { stdout, stderr } = await signet(['config', 'nginx', '--async', '--library', library]);
  t.match(stdout, 'env LD_PRELOAD;\n');
  t.match(stdout, `Environment="LD_PRELOAD=${library}"\n`);
  t.match(stderr, `${library} is not there`);
});

t.test('--engine names the key instead of a file, and NGINX gets an openssl.cnf with the engine', async (t) => {
  const { code, stdout } = await signet(['config', 'nginx', '--engine', 'pkcs11:object=www;type=private']);
  t.equal(code, 0);
  t.match(stdout, 'ssl_certificate_key "engine:signet:pkcs11:object=www;type=private";\n');
  t.match(stdout, /engine_id = signet\ndynamic_path = .*signet.so\nSOCKETS = .*\nCATALOGUE = .*\ninit = 1\n/);
  t.notMatch(stdout, 'reference PEM');
  t.notMatch(stdout, 'providers =');
});

t.test('HAProxy does not wait unless it is told to, and sees the sockets where it locks itself up', async (t) => {
  const { stdout } = await signet(['config', 'haproxy', '--chroot', '/var/lib/haproxy']);
  t.match(stdout, 'BindPaths=/run/signet:/var/lib/haproxy/run/signet\n');
  t.match(stdout, 'ssl-mode-async\n');
  t.notMatch((await signet(['config', 'haproxy', '--no-async'])).stdout, 'ssl-mode-async');
});

t.test("the chroot is read from HAProxy's own configuration", async (t) => {
  const folder = t.testdir({ 'haproxy.cfg': 'global\n\tlog /dev/log local0\n\tchroot /var/lib/haproxy\n' });
  t.equal(haproxyChroot(`${folder}/haproxy.cfg`), '/var/lib/haproxy');
  t.equal(haproxyChroot(`${folder}/none`), undefined);
});

t.test('the default of the sockets is the one of the native client', async (t) => {
  const header = readFileSync(new URL('../../../native/client/signet_client.h', import.meta.url), 'utf8');
  const [, path] = /SIGNET_SOCKETS_DEFAULT "(.*)"/.exec(header) ?? [];
  t.match((await signet(['config', 'openssl'])).stdout, `sockets = ${path}\n`);
});

t.test('the default of the catalogue is the one of the native reader', async (t) => {
  const header = readFileSync(new URL('../../../native/catalogue/catalogue.h', import.meta.url), 'utf8');
  const [, path] = /SIGNET__CATALOGUE_DEFAULT "(.*)"/.exec(header) ?? [];
  t.match((await signet(['config', 'nginx', '--engine', 'www'])).stdout, `CATALOGUE = ${path}\n`);
});
