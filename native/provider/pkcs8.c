#include "pkcs8.h"
#include "der.h"

static int find_type(signet__span oid, signet__key_type *type);
static const char *parse_reference(signet__pkcs8 *pkcs8, signet__span algorithm, signet__span rest);

int signet__pkcs8_parse(signet__pkcs8 *pkcs8, const unsigned char *der, size_t len) {
    signet__span all = {der, len}, info, version, algorithm, oid;

    *pkcs8 = (signet__pkcs8){0};
    if (!signet__der_take(&all, SIGNET__DER_SEQUENCE, &info) ||
        !signet__der_take(&info, SIGNET__DER_INTEGER, &version) ||
        !signet__der_take(&info, SIGNET__DER_SEQUENCE, &algorithm) ||
        !signet__der_take(&algorithm, SIGNET__DER_OID, &oid) || !find_type(oid, &pkcs8->type))
        return 0;
    if (!signet__span_equals(version, "\0", 1))
        pkcs8->expected = "expected version 0 of a PrivateKeyInfo";
    else if (all.len != 0)
        pkcs8->expected = "expected nothing behind the PrivateKeyInfo";
    else
        pkcs8->expected = parse_reference(pkcs8, algorithm, info);
    return 1;
}

/* An OID for each type, since libcrypto from 3.5 on finds the decoder by it. */
static int find_type(signet__span oid, signet__key_type *type) {
    static const unsigned char arc[] = {SIGNET_OID_ARC_DER};
    static const signet__key_type types[] = {SIGNET_RSA, SIGNET_EC, SIGNET_ED25519, SIGNET_RSA_PSS};
    size_t place;

    if (oid.len != sizeof arc + 1 || !signet__span_equals((signet__span){oid.bytes, sizeof arc}, arc, sizeof arc))
        return 0;
    place = oid.bytes[sizeof arc];
    if (place < 1 || place > sizeof types / sizeof types[0])
        return 0;
    *type = types[place - 1];
    return 1;
}

static const char *parse_reference(signet__pkcs8 *pkcs8, signet__span algorithm, signet__span rest) {
    signet__span reference;

    if (algorithm.len != 0)
        return "expected no parameters of the algorithm";
    if (!signet__der_take(&rest, SIGNET__DER_OCTET_STRING, &reference))
        return "expected a key reference in an OCTET STRING";
    if (rest.len != 0)
        return "expected no attributes";
    pkcs8->reference = reference.bytes;
    pkcs8->reference_len = reference.len;
    return NULL;
}
