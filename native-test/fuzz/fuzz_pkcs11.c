/*
 * Fuzzes what the PKCS#11 module makes of a service's signature, and of what a program calls a DigestInfo. Everything
 * lies in memory of exactly its size, so that AddressSanitizer sees a byte too far.
 */
#include "input.h"
#include "signature.h"
#include <stdlib.h>
#include <string.h>

static const signet__public_key keys[] = {
    {.kind = SIGNET__KEY_RSA, .bits = 2048},    {.kind = SIGNET__KEY_EC, .bits = 256},
    {.kind = SIGNET__KEY_EC, .bits = 384},      {.kind = SIGNET__KEY_EC, .bits = 521},
    {.kind = SIGNET__KEY_ED25519, .bits = 255},
};

static void check(int holds) {
    if (!holds)
        abort();
}

/* The only DER that gives these numbers is what came. */
static void check_ecdsa(const unsigned char *der, size_t der_len, const unsigned char *made, size_t half) {
    size_t at = der[1] < 0x80 ? 2 : 3;

    for (int i = 0; i < 2; i++) {
        const unsigned char *number = made + (size_t)i * half;
        size_t skipped = 0, len;

        while (skipped < half && number[skipped] == 0)
            skipped++;
        len = half - skipped;
        check(skipped < half || (der[at + 1] == 1 && der[at + 2] == 0));
        check(der[at] == 0x02 && memcmp(der + at + 2 + der[at + 1] - len, number + skipped, len) == 0);
        at += 2u + der[at + 1];
    }
    check(at == der_len);
}

static void check_signature(const signet__public_key *key, const unsigned char *tls, size_t len) {
    size_t bytes = signet__signature_bytes(key);
    unsigned char *made = malloc(bytes);

    if (signet__signature_to_pkcs11(key, tls, len, made)) {
        if (key->kind == SIGNET__KEY_EC)
            check_ecdsa(tls, len, made, bytes / 2);
        else
            check(len == bytes && memcmp(made, tls, len) == 0);
    }
    free(made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned char *copy = malloc(size);
    signet__span input = {copy, size};
    signet__hash hash = SIGNET__NO_HASH;

    memcpy(copy, data, size);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        check_signature(&keys[i], copy, size);
    if (signet__digest_info_read(&input, &hash) == CKR_OK)
        check(input.bytes == copy + 19 && input.len == size - 19 && input.len == signet__hash_bytes(hash));
    free(copy);
    return 0;
}
