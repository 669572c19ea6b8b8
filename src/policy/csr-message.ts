import { childrenOf, type Der, derWhole, isWellFormed } from './der.js';

/**
 * Whether the message is a CertificationRequestInfo (RFC 2986 section 4.1) in DER, whole, for the key whose canonical
 * SubjectPublicKeyInfo is given: version 0, a Name, the key itself and the attributes, which may be empty but not missing.
 */
export function isCertificationRequestOf(message: Buffer, spki: Buffer): boolean {
  if (message[0] !== SEQUENCE) return false;
  const request = derWhole(message);
  const fields = request && childrenOf(request);
  if (fields?.length !== 4) return false;
  const [version, subject, publicKey, attributes] = fields as [Der, Der, Der, Der];
  return (
    VERSION_0.equals(version.bytes) &&
    isKey(publicKey, spki) &&
    isName(subject) &&
    attributes.tag === CONTEXT_0 &&
    childrenOf(attributes)?.every(isAttribute) === true
  );
}

/** The key itself, or the same RSA numbers as an RSASSA-PSS key without parameters (RFC 4055 section 1.2). */
function isKey(publicKey: Der, spki: Buffer): boolean {
  if (spki.equals(publicKey.bytes)) return true;
  const [algorithm, bits, ...rest] = childrenOf(publicKey) ?? [];
  const own = derWhole(spki);
  const [ownAlgorithm, ownBits] = (own && childrenOf(own)) ?? [];
  return (
    publicKey.tag === SEQUENCE &&
    rest.length === 0 &&
    algorithm?.bytes.equals(RSASSA_PSS) === true &&
    ownAlgorithm?.bytes.equals(RSA_ENCRYPTION) === true &&
    bits !== undefined &&
    ownBits?.bytes.equals(bits.bytes) === true
  );
}

/** AlgorithmIdentifiers, DER (RFC 4055 sections 1.2 and 3.1). */
const RSA_ENCRYPTION = Buffer.from('300d06092a864886f70d0101010500', 'hex');
const RSASSA_PSS = Buffer.from('300b06092a864886f70d01010a', 'hex');

const OID = 0x06;
const SEQUENCE = 0x30;
const SET = 0x31;
const CONTEXT_0 = 0xa0;
const VERSION_0 = Buffer.of(2, 1, 0);

/** RFC 5280 section 4.1.2.4: a sequence of sets of attribute types with values. */
function isName(name: Der): boolean {
  return name.tag === SEQUENCE && childrenOf(name)?.every(isRelativeName) === true;
}

function isRelativeName(relative: Der): boolean {
  if (relative.tag !== SET) return false;
  const pairs = childrenOf(relative);
  return pairs !== undefined && pairs.length > 0 && pairs.every(isTypeAndValue);
}

function isTypeAndValue(pair: Der): boolean {
  const parts = pair.tag === SEQUENCE ? childrenOf(pair) : undefined;
  return parts?.length === 2 && isOid(parts[0] as Der) && isWellFormed(parts[1] as Der);
}

/** RFC 2986 section 4.1: a type and a set of at least one value. */
function isAttribute(attribute: Der): boolean {
  const parts = attribute.tag === SEQUENCE ? childrenOf(attribute) : undefined;
  if (parts?.length !== 2) return false;
  const [type, values] = parts as [Der, Der];
  return isOid(type) && values.tag === SET && values.content.length > 0 && isWellFormed(values);
}

/** X.690 section 8.19: subidentifiers of 7 bits a byte, none beginning with 0x80, the last byte below 0x80. */
function isOid({ tag, content }: Der): boolean {
  if (tag !== OID || content.length === 0 || (content.at(-1) as number) >= 0x80) return false;
  return content.every((byte, i) => byte !== 0x80 || (i > 0 && (content[i - 1] as number) >= 0x80));
}
