import { constants, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { TcpConfig } from '../../config/schema.js';

/**
 * What a listener shows and trusts, read from its files and proven to fit together: whole certificates, a key that belongs to
 * the first of them, and at least one authority. Throws an Error that says which option is wrong.
 */
export function readTlsFiles(config: TcpConfig): SecureContextOptions {
  const context = {
    cert: readCertificates('certificate_file', config.certificate_file),
    key: read('key_file', config.key_file),
    ca: readCertificates('client_ca_file', config.client_ca_file),
    minVersion: 'TLSv1.2' as const,
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  };
  try {
    createSecureContext(context);
  } catch (cause) {
    throw new TlsFileError('key_file', `expected the key of ${config.certificate_file}`, cause);
  }
  return context;
}

/** What is wrong with one of the files. */
export class TlsFileError extends Error {
  readonly option: TlsFileOption;

  constructor(option: TlsFileOption, expected: string, cause: unknown) {
    super(`${expected}; ${reason(cause)} came`, { cause });
    this.option = option;
  }
}

type TlsFileOption = 'certificate_file' | 'key_file' | 'client_ca_file';

function read(option: TlsFileOption, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new TlsFileError(option, `expected a readable file at ${file}`, cause);
  }
}

/** OpenSSL takes what it can read of a file and drops the rest in silence; a file that is being written must not pass. */
function readCertificates(option: TlsFileOption, file: string): Buffer {
  const pem = read(option, file);
  const text = pem.toString('latin1');
  const begun = text.split(/^-----BEGIN /m).slice(1);
  try {
    if (begun.length === 0) throw new Error('none');
    if (text.split('-----BEGIN ').length !== begun.length + 1) throw new Error('one that begins within a line');
    for (const block of begun) new X509Certificate(`-----BEGIN ${block}`);
  } catch (cause) {
    throw new TlsFileError(option, `expected whole certificates in PEM in ${file}`, cause);
  }
  return pem;
}

function reason(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code === 'ENOENT' ? 'no file' : message;
}
