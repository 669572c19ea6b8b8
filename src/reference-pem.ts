import 'reflect-metadata';
import { AsnConvert, AsnProp, AsnPropTypes, AsnType, AsnTypeTypes, OctetString } from '@peculiar/asn1-schema';
import { AlgorithmIdentifier, SubjectPublicKeyInfo } from '@peculiar/asn1-x509';
import { SignetError } from './errors.js';
import type { PublicKey } from './public-key.js';

/** `pkcs8` has the label PRIVATE KEY, for tools that insist on it; it holds no private key either. */
export type ReferenceForm = 'own' | 'pkcs8';

export interface ReferenceOptions {
  /** Default: `own`. */
  readonly form?: ReferenceForm;
  /** The RSA key is to be used as an RSASSA-PSS key (RFC 4055 section 1.2). */
  readonly rsaPss?: boolean;
}

/**
 * The file that a web server loads in the place of a private key: the public key and a label (docs/reference-pem.md). PEM.
 * An empty label is left out. Throws SignetError invalid_argument for a label that the format does not take, and for `rsaPss`
 * with a key that is not RSA.
 */
export function writeReferencePem(key: PublicKey, label: string, options: ReferenceOptions = {}): string {
  const reference = new SignetKeyReference();
  reference.version = REFERENCE_VERSION;
  reference.subjectPublicKeyInfo = AsnConvert.parse(key.spki, SubjectPublicKeyInfo);
  if (label !== '') reference.label = checkedLabel(label);
  if (options.rsaPss === true) reference.rsaPss = markOf(key);
  const der = Buffer.from(AsnConvert.serialize(reference));
  if (options.form !== 'pkcs8') return pemOf('SIGNET KEY REFERENCE', der);
  return pemOf('PRIVATE KEY', pkcs8(OIDS[options.rsaPss === true ? 'rsa-pss' : key.type], der));
}

const REFERENCE_VERSION = 1;
/** Bytes of UTF-8. */
const LABEL_BYTES_MAX = 256;

/** The schema is told by calls, not by decorator syntax, so that it stands however the file is compiled. */
class SignetKeyReference {
  version = 0;
  subjectPublicKeyInfo = new SubjectPublicKeyInfo();
  label?: string;
  rsaPss?: null;
}
AsnType({ type: AsnTypeTypes.Sequence })(SignetKeyReference);
AsnProp({ type: AsnPropTypes.Integer })(SignetKeyReference.prototype, 'version');
AsnProp({ type: SubjectPublicKeyInfo })(SignetKeyReference.prototype, 'subjectPublicKeyInfo');
AsnProp({ type: AsnPropTypes.Utf8String, context: 0, optional: true })(SignetKeyReference.prototype, 'label');
AsnProp({ type: AsnPropTypes.Null, context: 1, optional: true })(SignetKeyReference.prototype, 'rsaPss');

/** PrivateKeyInfo of RFC 5208 section 5, with the reference where the private key would be. */
class PrivateKeyInfo {
  version = 0;
  privateKeyAlgorithm = new AlgorithmIdentifier();
  privateKey = new OctetString();
}
AsnType({ type: AsnTypeTypes.Sequence })(PrivateKeyInfo);
AsnProp({ type: AsnPropTypes.Integer })(PrivateKeyInfo.prototype, 'version');
AsnProp({ type: AlgorithmIdentifier })(PrivateKeyInfo.prototype, 'privateKeyAlgorithm');
AsnProp({ type: OctetString })(PrivateKeyInfo.prototype, 'privateKey');

/**
 * OIDs of Signet's own, {joint-iso-itu-t uuid(25) 004d02e7-f021-4a2f-ab1f-6d5c65a4feea} (X.667) and an arc for the type of key, so that
 * no other software takes the file for a key.
 */
const OID_ARC = '2.25.399865798948577069417177843685981930';
const OIDS = { rsa: `${OID_ARC}.1`, ec: `${OID_ARC}.2`, ed25519: `${OID_ARC}.3`, 'rsa-pss': `${OID_ARC}.4` } as const;

function pkcs8(algorithm: string, reference: Buffer): Buffer {
  const info = new PrivateKeyInfo();
  info.privateKeyAlgorithm = new AlgorithmIdentifier({ algorithm });
  info.privateKey = new OctetString(reference);
  return Buffer.from(AsnConvert.serialize(info));
}

function markOf(key: PublicKey): null {
  if (key.type === 'rsa') return null;
  throw new SignetError('invalid_argument', `expected an RSA key to mark as RSA-PSS; a key of type ${key.type} came`);
}

function checkedLabel(label: string): string {
  const bytes = Buffer.byteLength(label);
  if (bytes <= LABEL_BYTES_MAX && !CONTROL_CHARACTERS.test(label)) return label;
  const expected = `expected a label of at most ${LABEL_BYTES_MAX} bytes without control characters`;
  throw new SignetError('invalid_argument', `${expected}; one of ${bytes} bytes came`);
}

const CONTROL_CHARACTERS = /\p{Cc}/u;

/** Lines of 64 characters (RFC 7468 section 2). */
function pemOf(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
