/* Checking a signature: all of it is done by libcrypto's default provider with the public shadow. */
#include "signature.h"
#include <openssl/evp.h>

static int start(signet__signature *signature, signet__key *key);

int signet__verify_init(void *signature_in, void *key, const OSSL_PARAM params[]) {
    signet__signature *signature = signature_in;
    int ok;

    if (!start(signature, key))
        return 0;
    signet__errors_begin();
    signature->verify = EVP_PKEY_CTX_new_from_pkey(signature->provider->shadow_libctx, signature->key->shadow, NULL);
    ok = signature->verify != NULL && EVP_PKEY_verify_init_ex(signature->verify, params) == 1;
    return signet__errors_end(ok);
}

int signet__verify(void *signature_in, const unsigned char *made, size_t made_len, const unsigned char *digest,
                   size_t digest_len) {
    signet__signature *signature = signature_in;
    int ok;

    if (signature->verify == NULL)
        return 0;
    signet__errors_begin();
    ok = EVP_PKEY_verify(signature->verify, made, made_len, digest, digest_len) == 1;
    return signet__errors_end(ok);
}

int signet__digest_verify_init(void *signature_in, const char *digest_name, void *key, const OSSL_PARAM params[]) {
    signet__signature *signature = signature_in;
    int ok;

    if (!start(signature, key))
        return 0;
    signet__errors_begin();
    signature->verify_stream = EVP_MD_CTX_new();
    ok = signature->verify_stream != NULL &&
         EVP_DigestVerifyInit_ex(signature->verify_stream, &signature->verify, digest_name,
                                 signature->provider->shadow_libctx, NULL, signature->key->shadow, params) == 1;
    return signet__errors_end(ok);
}

int signet__digest_verify(void *signature_in, const unsigned char *made, size_t made_len, const unsigned char *message,
                          size_t message_len) {
    signet__signature *signature = signature_in;
    int ok;

    if (signature->verify_stream == NULL)
        return 0;
    signet__errors_begin();
    ok = EVP_DigestVerify(signature->verify_stream, made, made_len, message, message_len) == 1;
    return signet__errors_end(ok);
}

int signet__digest_verify_update(void *signature_in, const unsigned char *data, size_t len) {
    signet__signature *signature = signature_in;
    int ok;

    if (signature->verify_stream == NULL)
        return 0;
    signet__errors_begin();
    ok = EVP_DigestVerifyUpdate(signature->verify_stream, data, len) == 1;
    return signet__errors_end(ok);
}

int signet__digest_verify_final(void *signature_in, const unsigned char *made, size_t made_len) {
    signet__signature *signature = signature_in;
    int ok;

    if (signature->verify_stream == NULL)
        return 0;
    signet__errors_begin();
    ok = EVP_DigestVerifyFinal(signature->verify_stream, made, made_len) == 1;
    return signet__errors_end(ok);
}

/* `to` is a byte-wise copy of `from`. Leaves `to` fit for signet__verify_clear, also when it fails. */
int signet__verify_copy(signet__signature *to, const signet__signature *from) {
    to->verify_stream = NULL;
    to->verify = NULL;
    if (from->verify_stream != NULL) {
        to->verify_stream = EVP_MD_CTX_new();
        if (to->verify_stream == NULL || !EVP_MD_CTX_copy_ex(to->verify_stream, from->verify_stream))
            return 0;
        to->verify = EVP_MD_CTX_get_pkey_ctx(to->verify_stream);
        return to->verify != NULL;
    }
    if (from->verify != NULL)
        to->verify = EVP_PKEY_CTX_dup(from->verify);
    return from->verify == NULL || to->verify != NULL;
}

void signet__verify_clear(signet__signature *signature) {
    if (signature->verify_stream != NULL)
        EVP_MD_CTX_free(signature->verify_stream);
    else
        EVP_PKEY_CTX_free(signature->verify);
    signature->verify_stream = NULL;
    signature->verify = NULL;
}

static int start(signet__signature *signature, signet__key *key) {
    signet__verify_clear(signature);
    if (key != NULL) {
        signet__key_retain(key);
        signet__key_free(signature->key);
        signature->key = key;
    }
    return signature->key != NULL && signature->key->shadow != NULL;
}
