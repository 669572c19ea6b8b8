/*
 * Fuzzes what the provider makes of the DER of a reference: the parser, and libcrypto's opinion of the public key in
 * it. Whatever is accepted must obey docs/reference-pem.md. Nothing may be left on the error queue.
 */
#include "key.h"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static signet__provider provider;

static void check(int holds) {
    if (!holds)
        abort();
}

static void check_reference(const signet__reference *reference, const uint8_t *data, size_t size) {
    check(size <= SIGNET_REFERENCE_BYTES_MAX);
    check(reference->spki > data && reference->spki + reference->spki_len <= data + size);
    check(strlen(reference->label) <= SIGNET_LABEL_BYTES_MAX);
    check(strpbrk(reference->label, "\n\r\t\x1b\x7f") == NULL);
}

static void check_key(const signet__key *key, const signet__reference *reference) {
    unsigned char hash[32];
    check(key->signs && key->shadow != NULL);
    check(key->type != SIGNET_RSA ||
          (EVP_PKEY_get_bits(key->shadow) >= 2048 && EVP_PKEY_get_bits(key->shadow) <= 4096));
    check(EVP_Q_digest(NULL, "SHA256", NULL, reference->spki, reference->spki_len, hash, NULL));
    check(memcmp(hash, key->spki_sha256, sizeof hash) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    signet__reference reference;
    const char *expected = signet__reference_parse(&reference, data, size);
    signet__key *key;

    if (expected == NULL) {
        check_reference(&reference, data, size);
        key = signet__key_from_reference(&provider, &reference, &expected);
        check(key != NULL || expected != NULL);
        if (key != NULL)
            check_key(key, &reference);
        signet__key_free(key);
    }
    check(ERR_peek_error() == 0);
    return 0;
}
