/** A CA of files, and certificates by it: of every key of the site, and of a genuine key for the servers that demand a certificate. */
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { KeyKind } from './cells.js';
import type { Site } from './site.js';

const DAYS = '30';
/** What a certificate of the site is for. Each key has names of its own; `pair` is the name of servers with two keys. */
const namesOf = (kind: string): string =>
  `DNS:${kind}.signet.test,DNS:*.${kind}.signet.test,DNS:pair.signet.test,DNS:upstream.signet.test`;

export async function makeCertificates(site: Site): Promise<void> {
  await makeAuthority(site);
  await makeGenuine(site);
  for (const kind of site.keys) {
    await site.signet([
      'certs',
      'csr',
      '--key',
      kind,
      '--subject',
      `CN=${kind}.signet.test`,
      '--out',
      site.file(`${kind}.csr`),
    ]);
    const key = kind === 'rsapss' ? ['-force_pubkey', pssPublicKey(site, kind)] : [];
    await issue(site, kind, key);
  }
}

async function makeAuthority(site: Site): Promise<void> {
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', DAYS];
  const extensions = ['-addext', 'keyUsage=critical,keyCertSign,digitalSignature'];
  const files = ['-keyout', site.file('ca.key'), '-out', site.ca];
  await site.openssl([...request, '-subj', '/CN=Signet matrix CA', ...extensions, ...files]);
}

/** A key in a file, as everybody has it. */
async function makeGenuine(site: Site): Promise<void> {
  const request = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=genuine'];
  await site.openssl([...request, '-keyout', site.file('genuine.key'), '-out', site.file('genuine.csr')]);
  await issue(site, 'genuine', []);
}

async function issue(site: Site, name: string, more: readonly string[]): Promise<void> {
  const extensions = site.write(
    `${name}.ext`,
    `subjectAltName=${namesOf(name)}\nextendedKeyUsage=serverAuth,clientAuth\n`,
  );
  const request = ['x509', '-req', '-in', site.file(`${name}.csr`), '-CA', site.ca, '-CAkey', site.file('ca.key')];
  const how = ['-CAserial', site.file('ca.srl'), '-CAcreateserial', '-days', DAYS, '-extfile', extensions];
  await site.openssl([...request, ...how, ...more, '-out', site.file(`${name}.crt`)]);
}

/** The key of the request under the name id-RSASSA-PSS, without parameters (RFC 4055 section 1.2). A PEM file. */
function pssPublicKey(site: Site, kind: KeyKind): string {
  const rest = afterAlgorithm(readFileSync(site.reference(kind), 'utf8'));
  const bitString = rest.subarray(0, BIT_STRING_HEAD + rest.readUInt16BE(2));
  const body = Buffer.concat([Buffer.from('300b06092a864886f70d01010a', 'hex'), bitString]);
  const der = Buffer.concat([Buffer.from([0x30, 0x82, body.length >> 8, body.length & 0xff]), body]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  return site.write(`${kind}.pub`, key.export({ format: 'pem', type: 'spki' }).toString());
}

/** Tag and a length of two bytes. */
const BIT_STRING_HEAD = 4;
const RSA_ENCRYPTION = Buffer.from('300d06092a864886f70d0101010500', 'hex');

/** What follows the name rsaEncryption in a reference: the BIT STRING with the key. */
function afterAlgorithm(pem: string): Buffer {
  const der = Buffer.from(pem.replace(/-----.*-----/g, ''), 'base64');
  return der.subarray(der.indexOf(RSA_ENCRYPTION) + RSA_ENCRYPTION.length);
}

/** What a responder of the CA says of the certificate: a DER file. */
export async function makeOcspResponse(site: Site, kind: KeyKind): Promise<string> {
  const serial = (await site.openssl(['x509', '-in', site.certificate(kind), '-noout', '-serial']))
    .trim()
    .replace('serial=', '');
  const index = site.write('index.txt', `V\t491231235959Z\t\t${serial}\tunknown\t/CN=${kind}.signet.test\n`);
  const [request, response] = [site.file(`${kind}.ocsp-request`), site.file(`${kind}.ocsp`)];
  await site.openssl(['ocsp', '-issuer', site.ca, '-cert', site.certificate(kind), '-reqout', request]);
  const responder = ['-index', index, '-CA', site.ca, '-rsigner', site.ca, '-rkey', site.file('ca.key'), '-ndays', '7'];
  await site.openssl(['ocsp', ...responder, '-reqin', request, '-respout', response]);
  return response;
}
