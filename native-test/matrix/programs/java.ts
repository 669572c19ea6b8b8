/** Java's TLS with the keys of SunPKCS11. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type KeyKind, type Program, type Row, TLS } from '../cells.js';
import { serverUse, visit } from '../handshake.js';
import { type Running, start, until } from '../processes.js';
import { built, type Site } from '../site.js';

const KEYS: readonly KeyKind[] = ['p256', 'p384', 'p521', 'rsa2048', 'rsa3072', 'rsa4096'];
const SERVER: Row = { program: 'Java', naming: 'SunPKCS11, by alias', keys: KEYS, ways: TLS, quick: [] };
const PROGRAM = fileURLToPath(new URL('./TlsServer.java', import.meta.url));

export const java: Program = {
  rows: [SERVER],
  async run(site, cells, attempt) {
    const { running, port } = await startJava(site);
    for (const { row, key, way } of cells) {
      const work = async () => {
        await visit(site, port, key, `java.${key}.signet.test`, { way });
      };
      // SunPKCS11 has ECDSA hashed by the module, so the whole message comes; RSA it hashes itself.
      const use = key.startsWith('rsa') ? 'digest' : serverUse(way);
      await attempt({ row, key, way }, () => site.signs(key, use, work));
    }
    await running.stop();
  },
};

export async function startJava(site: Site): Promise<{ running: Running; port: number }> {
  const library = built('native/signet-pkcs11.so');
  const config = site.write('java.cfg', `name = signet\nlibrary = ${library}\nslotListIndex = 0\n`);
  const ready = site.write('java.port', '');
  const running = start('java', [PROGRAM, config, ready], site.file('java.log'), site.pkcs11Environment);
  await until('the port of the Java server', () => {
    if (running.hasEnded) throw new Error(`it ended: ${running.log()}`);
    return readFileSync(ready, 'utf8').endsWith('\n');
  });
  return { running, port: Number(readFileSync(ready, 'utf8')) };
}
