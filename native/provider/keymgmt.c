/*
 * Key management: every question about a key is answered by its public shadow in the private library context.
 *
 * Two refusals carry everything else. Export of a selection with the private key must fail, even though it could hand
 * out the public part: libcrypto first tries to carry a key into the default provider, and signs here only if that
 * fails. Import of a private key must fail, or a genuine key could land here, where nobody can sign with it.
 */
#include "shadow.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

static const char *default_digest_of(const signet__key *key);
static EVP_PKEY *parameters_of(const signet__key *key);

static void *load(const void *reference, size_t len) {
    signet__key *key;
    if (len != sizeof key)
        return NULL;
    key = *(signet__key **)reference;
    *(signet__key **)reference = NULL;
    return key;
}

static void free_key(void *key) {
    signet__key_free(key);
}

static int has(const void *key_in, int selection) {
    const signet__key *key = key_in;
    if (key == NULL || key->shadow == NULL)
        return 0;
    return key->signs || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0;
}

static int match(const void *one_in, const void *other_in, int selection) {
    const signet__key *one = one_in, *other = other_in;
    int same;

    if (one->shadow == NULL || other->shadow == NULL)
        return 0;
    signet__errors_begin();
    same = (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0 ? EVP_PKEY_eq(one->shadow, other->shadow) == 1
                                                          : EVP_PKEY_parameters_eq(one->shadow, other->shadow) == 1;
    signet__errors_end(1);
    return same;
}

static int import(void *key_in, int selection, const OSSL_PARAM params[]) {
    signet__key *key = key_in;
    EVP_PKEY *shadow;

    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 || key->shadow != NULL)
        return 0;
    signet__errors_begin();
    shadow = signet__shadow_from_params(key->provider, key->type, selection, params);
    if (shadow != NULL)
        signet__key_set_public(key, shadow);
    return signet__errors_end(shadow != NULL);
}

static int export(void *key_in, int selection, OSSL_CALLBACK *give, void *give_arg) {
    const signet__key *key = key_in;
    int ok;

    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 || key->shadow == NULL)
        return 0;
    signet__errors_begin();
    ok = EVP_PKEY_export(key->shadow, selection, give, give_arg);
    return signet__errors_end(ok);
}

static int get_params(void *key_in, OSSL_PARAM params[]) {
    const signet__key *key = key_in;
    const char *digest;
    OSSL_PARAM *p;
    int ok;

    if (key->shadow == NULL)
        return 0;
    signet__errors_begin();
    ok = EVP_PKEY_get_params(key->shadow, params);
    signet__errors_end(ok);
    digest = default_digest_of(key);
    p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST);
    return ok && (p == NULL || digest == NULL || OSSL_PARAM_set_utf8_string(p, digest));
}

/* libcrypto says SHA-256 of every EC key; a SignatureScheme binds the digest to the curve. */
static const char *default_digest_of(const signet__key *key) {
    return key->ec_bits == 384 ? "SHA384" : key->ec_bits == 521 ? "SHA512" : NULL;
}

static void *dup_key(const void *from_in, int selection) {
    const signet__key *from = from_in;
    signet__key *to = signet__key_new(from->provider, from->type);
    EVP_PKEY *shadow = NULL;

    if (to == NULL || from->shadow == NULL)
        return to;
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0)
        shadow = parameters_of(from);
    else if (EVP_PKEY_up_ref(from->shadow))
        shadow = from->shadow;
    if (shadow == NULL) {
        signet__key_free(to);
        return NULL;
    }
    signet__key_set_public(to, shadow);
    to->signs = from->signs && (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
    memcpy(to->spki_sha256, from->spki_sha256, sizeof to->spki_sha256);
    memcpy(to->label, from->label, sizeof to->label);
    return to;
}

static EVP_PKEY *parameters_of(const signet__key *key) {
    EVP_PKEY *parameters = EVP_PKEY_new();
    int ok;

    signet__errors_begin();
    ok = parameters != NULL && EVP_PKEY_copy_parameters(parameters, key->shadow);
    signet__errors_end(ok);
    if (ok)
        return parameters;
    EVP_PKEY_free(parameters);
    return NULL;
}

static const char *ec_operation_name(int operation) {
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : operation == OSSL_OP_KEYEXCH ? "ECDH" : NULL;
}

static const char *rsa_pss_operation_name(int operation) {
    return operation == OSSL_OP_SIGNATURE ? "RSA" : NULL;
}

#define BIG_NUMBER(NAME) OSSL_PARAM_DEFN(NAME, OSSL_PARAM_UNSIGNED_INTEGER, NULL, 0)
#define NUMBER(NAME) OSSL_PARAM_DEFN(NAME, OSSL_PARAM_INTEGER, NULL, 0)
#define TEXT(NAME) OSSL_PARAM_DEFN(NAME, OSSL_PARAM_UTF8_STRING, NULL, 0)
#define BYTES(NAME) OSSL_PARAM_DEFN(NAME, OSSL_PARAM_OCTET_STRING, NULL, 0)
#define SIZES NUMBER(OSSL_PKEY_PARAM_BITS), NUMBER(OSSL_PKEY_PARAM_SECURITY_BITS), NUMBER(OSSL_PKEY_PARAM_MAX_SIZE)

static const OSSL_PARAM rsa_types[] = {BIG_NUMBER(OSSL_PKEY_PARAM_RSA_N), BIG_NUMBER(OSSL_PKEY_PARAM_RSA_E),
                                       OSSL_PARAM_END};
static const OSSL_PARAM ec_types[] = {TEXT(OSSL_PKEY_PARAM_GROUP_NAME), TEXT(OSSL_PKEY_PARAM_EC_ENCODING),
                                      TEXT(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT), BYTES(OSSL_PKEY_PARAM_PUB_KEY),
                                      OSSL_PARAM_END};
static const OSSL_PARAM ed25519_types[] = {BYTES(OSSL_PKEY_PARAM_PUB_KEY), OSSL_PARAM_END};

static const OSSL_PARAM rsa_params[] = {SIZES, TEXT(OSSL_PKEY_PARAM_DEFAULT_DIGEST), BIG_NUMBER(OSSL_PKEY_PARAM_RSA_N),
                                        BIG_NUMBER(OSSL_PKEY_PARAM_RSA_E), OSSL_PARAM_END};
static const OSSL_PARAM rsa_pss_params[] = {SIZES,
                                            TEXT(OSSL_PKEY_PARAM_DEFAULT_DIGEST),
                                            TEXT(OSSL_PKEY_PARAM_MANDATORY_DIGEST),
                                            BIG_NUMBER(OSSL_PKEY_PARAM_RSA_N),
                                            BIG_NUMBER(OSSL_PKEY_PARAM_RSA_E),
                                            OSSL_PARAM_END};
static const OSSL_PARAM ec_params[] = {SIZES,
                                       TEXT(OSSL_PKEY_PARAM_DEFAULT_DIGEST),
                                       TEXT(OSSL_PKEY_PARAM_GROUP_NAME),
                                       TEXT(OSSL_PKEY_PARAM_EC_ENCODING),
                                       TEXT(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT),
                                       BYTES(OSSL_PKEY_PARAM_PUB_KEY),
                                       BYTES(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY),
                                       BIG_NUMBER(OSSL_PKEY_PARAM_EC_PUB_X),
                                       BIG_NUMBER(OSSL_PKEY_PARAM_EC_PUB_Y),
                                       OSSL_PARAM_END};
static const OSSL_PARAM ed25519_params[] = {SIZES, TEXT(OSSL_PKEY_PARAM_MANDATORY_DIGEST),
                                            BYTES(OSSL_PKEY_PARAM_PUB_KEY), BYTES(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY),
                                            OSSL_PARAM_END};

/* NAME, its type, its numbers, and what some have: that their signatures bear another name. */
#define KEYMGMT(NAME, TYPE, NUMBERS, OPERATION_NAME)                                                                   \
    static void *NAME##_new(void *provider) {                                                                          \
        return signet__key_new(provider, TYPE);                                                                        \
    }                                                                                                                  \
    static const OSSL_PARAM *NAME##_gettable(void *provider) {                                                         \
        (void)provider;                                                                                                \
        return NAME##_params;                                                                                          \
    }                                                                                                                  \
    static const OSSL_PARAM *NAME##_transferable(int selection) {                                                      \
        return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ? NULL : NUMBERS;                                    \
    }                                                                                                                  \
    const OSSL_DISPATCH signet__##NAME##_keymgmt[] = {                                                                 \
        {OSSL_FUNC_KEYMGMT_NEW, (void (*)(void))NAME##_new},                                                           \
        {OSSL_FUNC_KEYMGMT_FREE, (void (*)(void))free_key},                                                            \
        {OSSL_FUNC_KEYMGMT_LOAD, (void (*)(void))load},                                                                \
        {OSSL_FUNC_KEYMGMT_HAS, (void (*)(void))has},                                                                  \
        {OSSL_FUNC_KEYMGMT_MATCH, (void (*)(void))match},                                                              \
        {OSSL_FUNC_KEYMGMT_IMPORT, (void (*)(void))import},                                                            \
        {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (void (*)(void))NAME##_transferable},                                         \
        {OSSL_FUNC_KEYMGMT_EXPORT, (void (*)(void)) export},                                                           \
        {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (void (*)(void))NAME##_transferable},                                         \
        {OSSL_FUNC_KEYMGMT_GET_PARAMS, (void (*)(void))get_params},                                                    \
        {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (void (*)(void))NAME##_gettable},                                          \
        {OSSL_FUNC_KEYMGMT_DUP, (void (*)(void))dup_key},                                                              \
        OPERATION_NAME{0, NULL},                                                                                       \
    };

#define OPERATION_NAME_BY(FUNCTION) {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, (void (*)(void))FUNCTION},
KEYMGMT(rsa, SIGNET_RSA, rsa_types, )
KEYMGMT(rsa_pss, SIGNET_RSA_PSS, rsa_types, OPERATION_NAME_BY(rsa_pss_operation_name))
KEYMGMT(ec, SIGNET_EC, ec_types, OPERATION_NAME_BY(ec_operation_name))
KEYMGMT(ed25519, SIGNET_ED25519, ed25519_types, )
