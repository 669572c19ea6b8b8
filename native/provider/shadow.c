#include "shadow.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>

static EVP_PKEY *rsa_shadow(const signet__provider *provider, signet__key_type type, const signet__public_key *key);
static EVP_PKEY *point_shadow(const signet__provider *provider, signet__key_type type, const signet__public_key *key);
static const char *group_of(const signet__public_key *key);

EVP_PKEY *signet__shadow_new(const signet__provider *provider, signet__key_type type, const signet__public_key *key) {
    return key->kind == SIGNET__KEY_RSA ? rsa_shadow(provider, type, key) : point_shadow(provider, type, key);
}

EVP_PKEY *signet__shadow_from_params(const signet__provider *provider, signet__key_type type, int selection,
                                     const OSSL_PARAM params[]) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(provider->shadow_libctx, signet__key_type_name(type), NULL);
    EVP_PKEY *made = NULL;

    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &made, selection, (OSSL_PARAM *)params) != 1)
        made = NULL;
    EVP_PKEY_CTX_free(context);
    return made;
}

static EVP_PKEY *rsa_shadow(const signet__provider *provider, signet__key_type type, const signet__public_key *key) {
    BIGNUM *modulus = BN_bin2bn(key->modulus.bytes, (int)key->modulus.len, NULL);
    BIGNUM *exponent = BN_bin2bn(key->exponent.bytes, (int)key->exponent.len, NULL);
    OSSL_PARAM_BLD *numbers = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *made = NULL;

    if (modulus != NULL && exponent != NULL && numbers != NULL &&
        OSSL_PARAM_BLD_push_BN(numbers, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(numbers, OSSL_PKEY_PARAM_RSA_E, exponent))
        params = OSSL_PARAM_BLD_to_param(numbers);
    if (params != NULL)
        made = signet__shadow_from_params(provider, type, EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(numbers);
    BN_free(modulus);
    BN_free(exponent);
    return made;
}

static EVP_PKEY *point_shadow(const signet__provider *provider, signet__key_type type, const signet__public_key *key) {
    OSSL_PARAM point =
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)key->point.bytes, key->point.len);
    OSSL_PARAM group = OSSL_PARAM_construct_end(), end = OSSL_PARAM_construct_end();

    if (key->kind == SIGNET__KEY_EC)
        group = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)group_of(key), 0);
    return signet__shadow_from_params(provider, type, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM[]){point, group, end});
}

static const char *group_of(const signet__public_key *key) {
    return key->bits == 256 ? "prime256v1" : key->bits == 384 ? "secp384r1" : "secp521r1";
}
