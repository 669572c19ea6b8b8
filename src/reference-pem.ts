import 'reflect-metadata';
import { AsnConvert, AsnProp, AsnPropTypes, AsnType, AsnTypeTypes } from '@peculiar/asn1-schema';
import { SubjectPublicKeyInfo } from '@peculiar/asn1-x509';
import { SignetError } from './errors.js';
import type { PublicKey } from './public-key.js';

/**
 * The file that a web server loads in the place of a private key: the public key and a label (docs/reference-pem.md). PEM.
 * An empty label is left out. Throws SignetError invalid_argument for a label that the format does not take.
 */
export function writeReferencePem(key: PublicKey, label: string): string {
  const reference = new SignetKeyReference();
  reference.version = REFERENCE_VERSION;
  reference.subjectPublicKeyInfo = AsnConvert.parse(key.spki, SubjectPublicKeyInfo);
  if (label !== '') reference.label = checkedLabel(label);
  return pemOf(Buffer.from(AsnConvert.serialize(reference)));
}

const REFERENCE_VERSION = 1;
const PEM_LABEL = 'SIGNET KEY REFERENCE';
/** Bytes of UTF-8. */
const LABEL_BYTES_MAX = 256;

/** The schema is told by calls, not by decorator syntax, so that it stands however the file is compiled. */
class SignetKeyReference {
  version = 0;
  subjectPublicKeyInfo = new SubjectPublicKeyInfo();
  label?: string;
}
AsnType({ type: AsnTypeTypes.Sequence })(SignetKeyReference);
AsnProp({ type: AsnPropTypes.Integer })(SignetKeyReference.prototype, 'version');
AsnProp({ type: SubjectPublicKeyInfo })(SignetKeyReference.prototype, 'subjectPublicKeyInfo');
AsnProp({ type: AsnPropTypes.Utf8String, context: 0, optional: true })(SignetKeyReference.prototype, 'label');

function checkedLabel(label: string): string {
  const bytes = Buffer.byteLength(label);
  if (bytes <= LABEL_BYTES_MAX && !CONTROL_CHARACTERS.test(label)) return label;
  const expected = `expected a label of at most ${LABEL_BYTES_MAX} bytes without control characters`;
  throw new SignetError('invalid_argument', `${expected}; one of ${bytes} bytes came`);
}

const CONTROL_CHARACTERS = /\p{Cc}/u;

/** Lines of 64 characters (RFC 7468 section 2). */
function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${PEM_LABEL}-----`, ...lines, `-----END ${PEM_LABEL}-----`, ''].join('\n');
}
