#include "signature_scheme.h"

#include "signet/v1/sign.pb.h"

#define SCHEME(name) signet_v1_SignatureScheme_SIGNATURE_SCHEME_##name

/* TLS 1.3 binds a curve to a hash (RFC 8446 section 4.2.3); RSA is bound to nothing. */
static const struct {
    signet__key_kind kind;
    unsigned curve_bits;
    signet__padding padding;
    signet__hash hash;
    uint32_t scheme;
} schemes[] = {
    {SIGNET__KEY_RSA, 0, SIGNET__PKCS1, SIGNET__SHA256, SCHEME(RSA_PKCS1_SHA256)},
    {SIGNET__KEY_RSA, 0, SIGNET__PKCS1, SIGNET__SHA384, SCHEME(RSA_PKCS1_SHA384)},
    {SIGNET__KEY_RSA, 0, SIGNET__PKCS1, SIGNET__SHA512, SCHEME(RSA_PKCS1_SHA512)},
    {SIGNET__KEY_RSA, 0, SIGNET__PSS, SIGNET__SHA256, SCHEME(RSA_PSS_RSAE_SHA256)},
    {SIGNET__KEY_RSA, 0, SIGNET__PSS, SIGNET__SHA384, SCHEME(RSA_PSS_RSAE_SHA384)},
    {SIGNET__KEY_RSA, 0, SIGNET__PSS, SIGNET__SHA512, SCHEME(RSA_PSS_RSAE_SHA512)},
    {SIGNET__KEY_EC, 256, SIGNET__NO_PADDING, SIGNET__SHA256, SCHEME(ECDSA_SECP256R1_SHA256)},
    {SIGNET__KEY_EC, 384, SIGNET__NO_PADDING, SIGNET__SHA384, SCHEME(ECDSA_SECP384R1_SHA384)},
    {SIGNET__KEY_EC, 521, SIGNET__NO_PADDING, SIGNET__SHA512, SCHEME(ECDSA_SECP521R1_SHA512)},
    {SIGNET__KEY_ED25519, 0, SIGNET__NO_PADDING, SIGNET__NO_HASH, SCHEME(ED25519)},
};

uint32_t signet__signature_scheme(const signet__public_key *key, signet__padding padding, signet__hash hash) {
    unsigned curve_bits = key->kind == SIGNET__KEY_EC ? key->bits : 0;

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (schemes[i].kind == key->kind && schemes[i].curve_bits == curve_bits && schemes[i].padding == padding &&
            schemes[i].hash == hash)
            return schemes[i].scheme;
    return 0;
}

signet__hash signet__hash_of_curve(const signet__public_key *key) {
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (schemes[i].kind == SIGNET__KEY_EC && schemes[i].curve_bits == key->bits)
            return schemes[i].hash;
    return SIGNET__NO_HASH;
}

size_t signet__hash_bytes(signet__hash hash) {
    static const size_t bytes[] = {
        [SIGNET__NO_HASH] = 0, [SIGNET__SHA256] = 32, [SIGNET__SHA384] = 48, [SIGNET__SHA512] = 64};
    return bytes[hash];
}
