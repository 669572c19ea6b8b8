/* Fuzzes the reader of the catalogue. Whatever is accepted obeys catalogue.h, and every span can be read to its end. */
#include "catalogue.h"
#include <stdlib.h>
#include <string.h>

static volatile unsigned char sink;

static void check(int holds) {
    if (!holds)
        abort();
}

/* AddressSanitizer looks at every byte. */
static void read_span(signet__span span) {
    for (size_t i = 0; i < span.len; i++)
        sink ^= span.bytes[i];
}

static void check_public_key(const signet__public_key *key) {
    read_span(key->modulus);
    read_span(key->exponent);
    read_span(key->curve);
    read_span(key->point);
    if (key->kind == SIGNET__KEY_RSA)
        check(key->bits >= 2048 && key->bits <= 4096 && key->modulus.len == (key->bits + 7) / 8);
    if (key->kind == SIGNET__KEY_EC)
        check(key->point.len == 1 + 2 * ((key->bits + 7) / 8) && key->curve.len > 2);
    if (key->kind == SIGNET__KEY_ED25519)
        check(key->point.len == 32);
}

static void check_key(const signet__catalogue_key *key) {
    check(key->label.len <= 256 && key->id.len <= 64 && key->spki.len <= 2048);
    check(key->label.len == 0 || memchr(key->label.bytes, 0, key->label.len) == NULL);
    read_span(key->label);
    read_span(key->id);
    read_span(key->spki);
    check_public_key(&key->public_key);
    check(key->certificate_count <= SIGNET__CERTIFICATES_MAX);
    for (size_t i = 0; i < key->certificate_count; i++) {
        read_span(key->certificates[i].der);
        read_span(key->certificates[i].serial);
        read_span(key->certificates[i].issuer);
        read_span(key->certificates[i].subject);
        read_span(key->certificates[i].public_key);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *why;
    signet__catalogue *catalogue = signet__catalogue_parse(data, size, &why);

    check((catalogue == NULL) == (why != NULL));
    for (size_t i = 0; catalogue != NULL && i < catalogue->count; i++) {
        check_key(&catalogue->keys[i]);
        check(i == 0 || memcmp(catalogue->keys[i - 1].spki_sha256, catalogue->keys[i].spki_sha256, 32) < 0);
    }
    signet__catalogue_free(catalogue);
    return 0;
}
