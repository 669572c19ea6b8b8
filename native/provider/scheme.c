#include "scheme.h"
#include <strings.h>

/* RFC 4055 section 5: 1.2.840.113549.1.1.LAST with NULL. */
#define PKCS1_ID(LAST)                                                                                                 \
    15, {                                                                                                              \
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, LAST, 0x05, 0x00                       \
    }
/* RFC 5758 section 3.2: 1.2.840.10045.4.3.LAST. */
#define ECDSA_ID(LAST)                                                                                                 \
    12, {                                                                                                              \
        0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, LAST                                         \
    }
/* RFC 4055 section 3.1: id-RSASSA-PSS; [0] the hash, [1] MGF1 with the same hash, [2] the salt's length. */
#define HASH_ID(LAST) 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, LAST, 0x05, 0x00
#define PSS_ID(LAST, SALT)                                                                                             \
    67, {                                                                                                              \
        0x30, 0x41, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30, 0x34, 0xa0, 0x0f,          \
            HASH_ID(LAST), 0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08,   \
            HASH_ID(LAST), 0xa2, 0x03, 0x02, 0x01, SALT                                                                \
    }
/* RFC 8410 section 3: 1.3.101.112. */
#define ED25519_ID                                                                                                     \
    7, {                                                                                                               \
        0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70                                                                       \
    }

static const signet__scheme schemes[] = {
    {SIGNET_RSA, 0, SIGNET_PKCS1, SIGNET_SHA256, 0x0401, "rsa_pkcs1_sha256", PKCS1_ID(0x0b)},
    {SIGNET_RSA, 0, SIGNET_PKCS1, SIGNET_SHA384, 0x0501, "rsa_pkcs1_sha384", PKCS1_ID(0x0c)},
    {SIGNET_RSA, 0, SIGNET_PKCS1, SIGNET_SHA512, 0x0601, "rsa_pkcs1_sha512", PKCS1_ID(0x0d)},
    {SIGNET_RSA, 0, SIGNET_PSS, SIGNET_SHA256, 0x0804, "rsa_pss_rsae_sha256", PSS_ID(0x01, 32)},
    {SIGNET_RSA, 0, SIGNET_PSS, SIGNET_SHA384, 0x0805, "rsa_pss_rsae_sha384", PSS_ID(0x02, 48)},
    {SIGNET_RSA, 0, SIGNET_PSS, SIGNET_SHA512, 0x0806, "rsa_pss_rsae_sha512", PSS_ID(0x03, 64)},
    {SIGNET_RSA_PSS, 0, SIGNET_PSS, SIGNET_SHA256, 0x0809, "rsa_pss_pss_sha256", PSS_ID(0x01, 32)},
    {SIGNET_RSA_PSS, 0, SIGNET_PSS, SIGNET_SHA384, 0x080a, "rsa_pss_pss_sha384", PSS_ID(0x02, 48)},
    {SIGNET_RSA_PSS, 0, SIGNET_PSS, SIGNET_SHA512, 0x080b, "rsa_pss_pss_sha512", PSS_ID(0x03, 64)},
    {SIGNET_EC, 256, SIGNET_NO_PADDING, SIGNET_SHA256, 0x0403, "ecdsa_secp256r1_sha256", ECDSA_ID(0x02)},
    {SIGNET_EC, 384, SIGNET_NO_PADDING, SIGNET_SHA384, 0x0503, "ecdsa_secp384r1_sha384", ECDSA_ID(0x03)},
    {SIGNET_EC, 521, SIGNET_NO_PADDING, SIGNET_SHA512, 0x0603, "ecdsa_secp521r1_sha512", ECDSA_ID(0x04)},
    {SIGNET_ED25519, 0, SIGNET_NO_PADDING, SIGNET_NO_DIGEST, 0x0807, "ed25519", ED25519_ID},
};

const signet__scheme *signet__scheme_find(const signet__key *key, signet__padding padding, signet__digest digest) {
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        const signet__scheme *scheme = &schemes[i];
        if (scheme->type == key->type && scheme->ec_bits == key->ec_bits && scheme->padding == padding &&
            scheme->digest == digest)
            return scheme;
    }
    return NULL;
}

const char *signet__scheme_expected(const signet__key *key) {
    if (key->type == SIGNET_RSA)
        return "an RSA key signs with SHA-256, SHA-384 or SHA-512, padded by PKCS#1 v1.5 or PSS";
    if (key->type == SIGNET_RSA_PSS)
        return "an RSA-PSS key signs with SHA-256, SHA-384 or SHA-512, padded by PSS";
    if (key->type == SIGNET_ED25519)
        return "an Ed25519 key signs the message itself, without a digest";
    switch (key->ec_bits) {
    case 256:
        return "a P-256 key signs with SHA-256";
    case 384:
        return "a P-384 key signs with SHA-384";
    case 521:
        return "a P-521 key signs with SHA-512";
    default:
        return "an EC key signs on P-256, P-384 or P-521";
    }
}

static const struct {
    size_t bytes;
    const char *names[4];
} digests[] = {
    [SIGNET_NO_DIGEST] = {0, {NULL, NULL, NULL, NULL}},
    [SIGNET_SHA256] = {32, {"SHA256", "SHA2-256", "SHA-256", "2.16.840.1.101.3.4.2.1"}},
    [SIGNET_SHA384] = {48, {"SHA384", "SHA2-384", "SHA-384", "2.16.840.1.101.3.4.2.2"}},
    [SIGNET_SHA512] = {64, {"SHA512", "SHA2-512", "SHA-512", "2.16.840.1.101.3.4.2.3"}},
};

int signet__digest_find(const char *name, signet__digest *digest) {
    for (int found = SIGNET_SHA256; found <= SIGNET_SHA512; found++)
        for (int i = 0; i < 4; i++)
            if (strcasecmp(digests[found].names[i], name) == 0) {
                *digest = (signet__digest)found;
                return 1;
            }
    return 0;
}

const char *signet__digest_name(signet__digest digest) {
    return digests[digest].names[0];
}

size_t signet__digest_bytes(signet__digest digest) {
    return digests[digest].bytes;
}
