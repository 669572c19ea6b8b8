/* Fuzzes the reader of the second form of a reference. What is ours lies within the input; nothing genuine is ours. */
#include "pkcs8.h"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>

static void check(int holds) {
    if (!holds)
        abort();
}

static void check_found(const signet__pkcs8 *found, const uint8_t *data, size_t size) {
    signet__reference reference;

    check(found->type == SIGNET_RSA || found->type == SIGNET_EC || found->type == SIGNET_ED25519 ||
          found->type == SIGNET_RSA_PSS);
    if (found->expected != NULL)
        return;
    check(found->reference > data && found->reference + found->reference_len <= data + size);
    signet__reference_parse(&reference, found->reference, found->reference_len);
}

/* libcrypto must not take it for a key. It takes long to find that out, so it is asked of some only. */
static void check_useless_elsewhere(const uint8_t *data, size_t size) {
    const unsigned char *at = data;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)size);
    EVP_PKEY *key = info != NULL ? EVP_PKCS82PKEY(info) : NULL;

    check(key == NULL);
    PKCS8_PRIV_KEY_INFO_free(info);
    ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    signet__pkcs8 found;
    int ours = signet__pkcs8_parse(&found, data, size);

    check(ERR_peek_error() == 0);
    if (ours)
        check_found(&found, data, size);
    if (ours && found.expected == NULL && size % 32 == 0)
        check_useless_elsewhere(data, size);
    return 0;
}
