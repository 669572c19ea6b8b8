#include "public_key.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096
#define ED25519_BYTES 32
#define ED25519_BITS 255

/* RFC 3279 section 2.3: rsaEncryption, id-ecPublicKey; RFC 8410: id-Ed25519. */
static const unsigned char RSA_OID[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
static const unsigned char EC_OID[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
static const unsigned char ED25519_OID[] = {0x2b, 0x65, 0x70};

/* RFC 5480 section 2.1.1.1, with tag and length. */
static const struct {
    unsigned bits;
    size_t field_bytes;
    size_t len;
    unsigned char oid[10];
} curves[] = {
    {256, 32, 10, {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}},
    {384, 48, 7, {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}},
    {521, 66, 7, {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23}},
};

static bool parse_rsa(signet__public_key *key, signet__span parameters, signet__span bits);
static bool parse_ec(signet__public_key *key, signet__span parameters, signet__span bits);
static bool parse_ed25519(signet__public_key *key, signet__span parameters, signet__span bits);
static unsigned bits_of(signet__span number);

bool signet__public_key_parse(signet__public_key *key, signet__span spki) {
    signet__span info, algorithm, oid, bits;

    *key = (signet__public_key){0};
    if (!signet__der_take(&spki, SIGNET__DER_SEQUENCE, &info) || spki.len != 0)
        return false;
    if (!signet__der_take(&info, SIGNET__DER_SEQUENCE, &algorithm) ||
        !signet__der_take(&info, SIGNET__DER_BIT_STRING, &bits) || info.len != 0)
        return false;
    if (!signet__der_take(&algorithm, SIGNET__DER_OID, &oid) || bits.len < 1 || bits.bytes[0] != 0)
        return false;
    bits = (signet__span){bits.bytes + 1, bits.len - 1};
    if (signet__span_equals(oid, RSA_OID, sizeof RSA_OID))
        return parse_rsa(key, algorithm, bits);
    if (signet__span_equals(oid, EC_OID, sizeof EC_OID))
        return parse_ec(key, algorithm, bits);
    return signet__span_equals(oid, ED25519_OID, sizeof ED25519_OID) && parse_ed25519(key, algorithm, bits);
}

static bool parse_rsa(signet__public_key *key, signet__span parameters, signet__span bits) {
    signet__span null, numbers;

    if (!signet__der_take(&parameters, SIGNET__DER_NULL, &null) || null.len != 0 || parameters.len != 0)
        return false;
    if (!signet__der_take(&bits, SIGNET__DER_SEQUENCE, &numbers) || bits.len != 0)
        return false;
    if (!signet__der_take_unsigned(&numbers, &key->modulus) || !signet__der_take_unsigned(&numbers, &key->exponent) ||
        numbers.len != 0 || key->exponent.len == 0)
        return false;
    key->kind = SIGNET__KEY_RSA;
    key->bits = bits_of(key->modulus);
    return key->bits >= RSA_BITS_MIN && key->bits <= RSA_BITS_MAX;
}

static bool parse_ec(signet__public_key *key, signet__span parameters, signet__span bits) {
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        if (!signet__span_equals(parameters, curves[i].oid, curves[i].len))
            continue;
        key->kind = SIGNET__KEY_EC;
        key->bits = curves[i].bits;
        key->curve = parameters;
        key->point = bits;
        return bits.len == 1 + 2 * curves[i].field_bytes && bits.bytes[0] == 0x04;
    }
    return false;
}

static bool parse_ed25519(signet__public_key *key, signet__span parameters, signet__span bits) {
    key->kind = SIGNET__KEY_ED25519;
    key->bits = ED25519_BITS;
    key->point = bits;
    return parameters.len == 0 && bits.len == ED25519_BYTES;
}

static unsigned bits_of(signet__span number) {
    unsigned bits = number.len > RSA_BITS_MAX / 8 ? RSA_BITS_MAX + 1 : (unsigned)number.len * 8;
    for (unsigned char top = number.len > 0 ? number.bytes[0] : 0xff; !(top & 0x80); top = (unsigned char)(top << 1))
        bits--;
    return bits;
}
