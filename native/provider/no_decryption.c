/*
 * There is no decryption (design.md, decision 10). With a plain RSA key libssl offers the static-RSA suites of TLS 1.2
 * all the same, and would tell of a handshake with one only that its operation is not supported. This says it in words
 * that help. Nothing here can decrypt.
 */
#include "provider.h"

static void *new_context(void *provider) {
    return provider;
}

static void free_context(void *context) {
    (void)context;
}

static int refuse(const signet__provider *provider) {
    return signet__raise(
        &provider->errors, SIGNET_R_NO_DECRYPTION,
        "signet: static RSA key exchange is refused, since no key decrypts; take its cipher suites out "
        "(add !kRSA to the list), those with ECDHE work");
}

static int decrypt_init(void *context, void *key, const OSSL_PARAM params[]) {
    (void)key, (void)params;
    return refuse(context);
}

static int decrypt(void *context, unsigned char *out, size_t *out_len, size_t out_room, const unsigned char *in,
                   size_t in_len) {
    (void)out, (void)out_len, (void)out_room, (void)in, (void)in_len;
    return refuse(context);
}

const OSSL_DISPATCH signet__no_decryption[] = {
    {OSSL_FUNC_ASYM_CIPHER_NEWCTX, (void (*)(void))new_context},
    {OSSL_FUNC_ASYM_CIPHER_FREECTX, (void (*)(void))free_context},
    {OSSL_FUNC_ASYM_CIPHER_DECRYPT_INIT, (void (*)(void))decrypt_init},
    {OSSL_FUNC_ASYM_CIPHER_DECRYPT, (void (*)(void))decrypt},
    {0, NULL},
};
