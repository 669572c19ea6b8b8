#include "mechanism.h"

#include <string.h>

#define PKCS1(type, input, hash)                                                                                       \
    { type, SIGNET__KEY_RSA, SIGNET__PKCS1, input, hash }
#define PSS(type, input, hash)                                                                                         \
    { type, SIGNET__KEY_RSA, SIGNET__PSS, input, hash }
#define ECDSA(type, input, hash)                                                                                       \
    { type, SIGNET__KEY_EC, SIGNET__NO_PADDING, input, hash }

/* docs/pkcs11.md has this as a table. */
static const signet__mechanism mechanisms[] = {
    PKCS1(CKM_RSA_PKCS, SIGNET__DIGEST_INFO, SIGNET__NO_HASH),
    PKCS1(CKM_SHA256_RSA_PKCS, SIGNET__MESSAGE, SIGNET__SHA256),
    PKCS1(CKM_SHA384_RSA_PKCS, SIGNET__MESSAGE, SIGNET__SHA384),
    PKCS1(CKM_SHA512_RSA_PKCS, SIGNET__MESSAGE, SIGNET__SHA512),
    PSS(CKM_RSA_PKCS_PSS, SIGNET__DIGEST, SIGNET__NO_HASH),
    PSS(CKM_SHA256_RSA_PKCS_PSS, SIGNET__MESSAGE, SIGNET__SHA256),
    PSS(CKM_SHA384_RSA_PKCS_PSS, SIGNET__MESSAGE, SIGNET__SHA384),
    PSS(CKM_SHA512_RSA_PKCS_PSS, SIGNET__MESSAGE, SIGNET__SHA512),
    ECDSA(CKM_ECDSA, SIGNET__DIGEST, SIGNET__NO_HASH),
    ECDSA(CKM_ECDSA_SHA256, SIGNET__MESSAGE, SIGNET__SHA256),
    ECDSA(CKM_ECDSA_SHA384, SIGNET__MESSAGE, SIGNET__SHA384),
    ECDSA(CKM_ECDSA_SHA512, SIGNET__MESSAGE, SIGNET__SHA512),
    {CKM_EDDSA, SIGNET__KEY_ED25519, SIGNET__NO_PADDING, SIGNET__MESSAGE, SIGNET__NO_HASH},
};
#define MECHANISMS (sizeof mechanisms / sizeof mechanisms[0])
_Static_assert(MECHANISMS <= SIGNET__MECHANISMS_MAX, "a list of mechanisms has room for all");

static const struct {
    CK_MECHANISM_TYPE digest;
    CK_ULONG mgf;
} hashes[] = {
    [SIGNET__NO_HASH] = {CK_UNAVAILABLE_INFORMATION, 0},
    [SIGNET__SHA256] = {CKM_SHA256, CKG_MGF1_SHA256},
    [SIGNET__SHA384] = {CKM_SHA384, CKG_MGF1_SHA384},
    [SIGNET__SHA512] = {CKM_SHA512, CKG_MGF1_SHA512},
};

static bool fits(const signet__mechanism *mechanism, const signet__public_key *key);
static CK_RV pss_parameter(const signet__mechanism *mechanism, const CK_MECHANISM *asked, signet__hash *hash);
static CK_RV eddsa_parameter(const CK_MECHANISM *asked);

const signet__mechanism *signet__mechanism_find(CK_MECHANISM_TYPE type) {
    for (size_t i = 0; i < MECHANISMS; i++)
        if (mechanisms[i].type == type)
            return &mechanisms[i];
    return NULL;
}

size_t signet__mechanism_count(void) {
    return MECHANISMS;
}

const signet__mechanism *signet__mechanism_at(size_t place) {
    return &mechanisms[place];
}

size_t signet__mechanisms_of(const signet__public_key *key, CK_MECHANISM_TYPE fitting[SIGNET__MECHANISMS_MAX]) {
    size_t count = 0;

    for (size_t i = 0; i < MECHANISMS; i++)
        if (fits(&mechanisms[i], key))
            fitting[count++] = mechanisms[i].type;
    return count;
}

void signet__mechanism_info(const signet__mechanism *mechanism, CK_MECHANISM_INFO *info) {
    *info = (CK_MECHANISM_INFO){2048, 4096, CKF_SIGN};
    if (mechanism->kind == SIGNET__KEY_ED25519)
        *info = (CK_MECHANISM_INFO){255, 255, CKF_SIGN};
    if (mechanism->kind == SIGNET__KEY_EC)
        *info = (CK_MECHANISM_INFO){256, 521, CKF_SIGN | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS};
}

signet__hash signet__hash_of_mechanism(CK_MECHANISM_TYPE type) {
    for (int i = SIGNET__SHA256; i <= SIGNET__SHA512; i++)
        if (hashes[i].digest == type)
            return (signet__hash)i;
    return SIGNET__NO_HASH;
}

CK_MECHANISM_TYPE signet__mechanism_of_hash(signet__hash hash) {
    return hashes[hash].digest;
}

CK_RV signet__mechanism_parameter(const signet__mechanism *mechanism, const CK_MECHANISM *asked, signet__hash *hash) {
    *hash = mechanism->hash;
    if (mechanism->padding == SIGNET__PSS)
        return pss_parameter(mechanism, asked, hash);
    if (mechanism->kind == SIGNET__KEY_ED25519)
        return eddsa_parameter(asked);
    return asked->ulParameterLen == 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

static bool fits(const signet__mechanism *mechanism, const signet__public_key *key) {
    if (mechanism->kind != key->kind)
        return false;
    return mechanism->input != SIGNET__MESSAGE ||
           signet__signature_scheme(key, mechanism->padding, mechanism->hash) != 0;
}

/* The only PSS of TLS: MGF1 with the same hash, a salt as long as the digest (RFC 8446 section 4.2.3). */
static CK_RV pss_parameter(const signet__mechanism *mechanism, const CK_MECHANISM *asked, signet__hash *hash) {
    CK_RSA_PKCS_PSS_PARAMS parameter;

    if (asked->pParameter == NULL || asked->ulParameterLen != sizeof parameter)
        return CKR_MECHANISM_PARAM_INVALID;
    memcpy(&parameter, asked->pParameter, sizeof parameter);
    for (int i = SIGNET__SHA256; i <= SIGNET__SHA512; i++) {
        if (hashes[i].digest != parameter.hashAlg || hashes[i].mgf != parameter.mgf ||
            signet__hash_bytes((signet__hash)i) != parameter.sLen)
            continue;
        *hash = (signet__hash)i;
        return mechanism->hash == SIGNET__NO_HASH || mechanism->hash == *hash ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
    }
    return CKR_MECHANISM_PARAM_INVALID;
}

/* Pure Ed25519 without a context: no parameter, or one that says so. */
static CK_RV eddsa_parameter(const CK_MECHANISM *asked) {
    signet__eddsa_params parameter;

    if (asked->ulParameterLen == 0)
        return CKR_OK;
    if (asked->pParameter == NULL || asked->ulParameterLen != sizeof parameter)
        return CKR_MECHANISM_PARAM_INVALID;
    memcpy(&parameter, asked->pParameter, sizeof parameter);
    return parameter.phFlag || parameter.ulContextDataLen != 0 ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
}
