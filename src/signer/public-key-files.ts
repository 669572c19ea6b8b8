import { createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type PublicKey, publicKeyFromKeyObject } from '../public-key.js';

/** The public keys of PEM files, each a PUBLIC KEY or a CERTIFICATE. A file that cannot be read is passed over with a warning. */
export function readPublicKeys(files: readonly string[], warn: (sentence: string) => void): PublicKey[] {
  return files.flatMap((file) => {
    try {
      return [publicKeyIn(readFileSync(file, 'utf8'))];
    } catch (error) {
      warn(
        `public key file ${file} is not used: expected one PEM PUBLIC KEY or CERTIFICATE; ${(error as Error).message}`,
      );
      return [];
    }
  });
}

function publicKeyIn(pem: string): PublicKey {
  const isCertificate = pem.includes('-----BEGIN CERTIFICATE-----');
  return publicKeyFromKeyObject(isCertificate ? new X509Certificate(pem).publicKey : createPublicKey(pem));
}
