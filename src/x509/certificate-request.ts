import 'reflect-metadata';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { alternativeNames } from './extensions.js';
import { checkNames, distinguishedName, type SubjectNames } from './subject-names.js';
import { type CertificateSigner, cryptoOf, keyPairOf, webAlgorithmOf } from './token-crypto.js';

/** A certification request (PKCS#10), PEM. */
export async function createRequest(signer: CertificateSigner, names: SubjectNames, label: string): Promise<string> {
  checkNames(names);
  const request = await Pkcs10CertificateRequestGenerator.create(
    {
      name: distinguishedName(names, label),
      extensions: alternativeNames(names),
      signingAlgorithm: webAlgorithmOf(signer.key),
      keys: keyPairOf(signer),
    },
    cryptoOf(signer),
  );
  return `${request.toString('pem')}\n`;
}
