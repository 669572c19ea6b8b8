#include "signature.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

static void *new_rsa(void *provider, const char *properties);
static void *new_other(void *provider, const char *properties);
static void *dup_signature(void *from);
static void free_signature(void *signature);

/* RSA and ECDSA stream a message; Ed25519 needs it whole, so there it has only the one-shot functions, as in libcrypto.
 */
#define LIFE(NEW)                                                                                                      \
    {OSSL_FUNC_SIGNATURE_NEWCTX, (void (*)(void))NEW}, {OSSL_FUNC_SIGNATURE_DUPCTX, (void (*)(void))dup_signature}, {  \
        OSSL_FUNC_SIGNATURE_FREECTX, (void (*)(void))free_signature                                                    \
    }
#define ONE_SHOT                                                                                                       \
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, (void (*)(void))signet__digest_sign_init},                                  \
        {OSSL_FUNC_SIGNATURE_DIGEST_SIGN, (void (*)(void))signet__digest_sign},                                        \
        {OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT, (void (*)(void))signet__digest_verify_init}, {                        \
        OSSL_FUNC_SIGNATURE_DIGEST_VERIFY, (void (*)(void))signet__digest_verify                                       \
    }
#define STREAM                                                                                                         \
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, (void (*)(void))signet__digest_sign_update},                              \
        {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, (void (*)(void))signet__digest_sign_final},                            \
        {OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_UPDATE, (void (*)(void))signet__digest_verify_update}, {                    \
        OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_FINAL, (void (*)(void))signet__digest_verify_final                           \
    }
#define OF_DIGEST                                                                                                      \
    {OSSL_FUNC_SIGNATURE_SIGN_INIT, (void (*)(void))signet__sign_init},                                                \
        {OSSL_FUNC_SIGNATURE_SIGN, (void (*)(void))signet__sign},                                                      \
        {OSSL_FUNC_SIGNATURE_VERIFY_INIT, (void (*)(void))signet__verify_init}, {                                      \
        OSSL_FUNC_SIGNATURE_VERIFY, (void (*)(void))signet__verify                                                     \
    }
#define GET(GETTABLE)                                                                                                  \
    {OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, (void (*)(void))signet__signature_get_params}, {                              \
        OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, (void (*)(void))GETTABLE                                              \
    }
#define SET(SETTABLE)                                                                                                  \
    {OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, (void (*)(void))signet__signature_set_params}, {                              \
        OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, (void (*)(void))SETTABLE                                              \
    }

const OSSL_DISPATCH signet__rsa_signature[] = {
    LIFE(new_rsa), ONE_SHOT, STREAM, OF_DIGEST, GET(signet__rsa_gettable), SET(signet__rsa_settable), {0, NULL}};
const OSSL_DISPATCH signet__ecdsa_signature[] = {
    LIFE(new_other), ONE_SHOT, STREAM, OF_DIGEST, GET(signet__ecdsa_gettable), SET(signet__ecdsa_settable), {0, NULL}};
const OSSL_DISPATCH signet__ed25519_signature[] = {LIFE(new_other), ONE_SHOT, GET(signet__ed25519_gettable), {0, NULL}};

static void *new_rsa(void *provider, const char *properties) {
    signet__signature *signature = new_other(provider, properties);
    if (signature != NULL)
        signature->padding = SIGNET_PKCS1;
    return signature;
}

static void *new_other(void *provider, const char *properties) {
    signet__signature *signature = OPENSSL_zalloc(sizeof *signature);
    (void)properties;
    if (signature == NULL)
        return NULL;
    signature->provider = provider;
    signature->salt = SIGNET_SALT_DIGEST;
    return signature;
}

static void *dup_signature(void *from_in) {
    const signet__signature *from = from_in;
    signet__signature *to = OPENSSL_malloc(sizeof *to);
    int ok;

    if (to == NULL)
        return NULL;
    *to = *from;
    if (to->key != NULL)
        signet__key_retain(to->key);
    signet__errors_begin();
    ok = signet__message_copy(&to->message, &from->message);
    ok = signet__verify_copy(to, from) && ok;
    signet__errors_end(ok);
    if (ok)
        return to;
    free_signature(to);
    return NULL;
}

static void free_signature(void *signature_in) {
    signet__signature *signature = signature_in;
    if (signature == NULL)
        return;
    signet__message_clear(&signature->message);
    signet__verify_clear(signature);
    signet__key_free(signature->key);
    OPENSSL_free(signature);
}

int signet__signature_set_key(signet__signature *signature, signet__key *key) {
    if (key != NULL) {
        signet__key_retain(key);
        signet__key_free(signature->key);
        signature->key = key;
        if (key->type == SIGNET_RSA_PSS)
            signature->padding = SIGNET_PSS;
    }
    signet__message_clear(&signature->message);
    signet__verify_clear(signature);
    if (signature->key != NULL && signature->key->signs)
        return 1;
    return signet__raise(&signature->provider->errors, SIGNET_R_NOT_A_REFERENCE,
                         "expected a key that was loaded from a \"" SIGNET_REFERENCE_PEM_LABEL
                         "\" PEM or a \"signet:\" URI");
}
