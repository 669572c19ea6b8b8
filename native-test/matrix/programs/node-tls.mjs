// A TLS program of Node.js whose keys are references: `server FOLDER PORT-FILE KIND…` or `client FOLDER PORT KIND`.
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import { createSecureContext } from 'node:tls';

const [role, folder, place, ...kinds] = process.argv.slice(2);
const credentials = (kind) => ({
  key: readFileSync(`${folder}/${kind}.key`),
  cert: readFileSync(`${folder}/${kind}.crt`),
});

if (role === 'server') serve();
else ask();

function serve() {
  const contexts = new Map(kinds.map((kind) => [kind, createSecureContext(credentials(kind))]));
  // None of its own: node offers it beside the one of the name.
  const server = createServer({ SNICallback: (name, done) => done(null, contexts.get(name.split('.').at(-3))) });
  server.on('request', (_request, response) => response.end('page'));
  server.listen(0, '127.0.0.1', () => writeFileSync(place, String(server.address().port)));
}

function ask() {
  const options = {
    host: '127.0.0.1',
    port: place,
    servername: 'upstream.signet.test',
    ca: readFileSync(`${folder}/ca.crt`),
  };
  request({ ...options, ...credentials(kinds[0]) }, (response) => response.pipe(process.stdout)).end();
}
