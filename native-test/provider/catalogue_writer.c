#include "catalogue_writer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char catalogue[65536];
static size_t catalogue_len;

void catalogue_begin(void) {
    static const unsigned char version[] = {0x08, 0x01};
    memcpy(catalogue, version, sizeof version);
    catalogue_len = sizeof version;
}

/* Field, length, bytes. */
static void put_bytes(unsigned char *out, size_t *len, int field, const void *bytes, size_t bytes_len) {
    size_t rest = bytes_len;

    out[(*len)++] = (unsigned char)(field << 3 | 2);
    for (; rest > 0x7f; rest >>= 7)
        out[(*len)++] = (unsigned char)((rest & 0x7f) | 0x80);
    out[(*len)++] = (unsigned char)rest;
    memcpy(out + *len, bytes, bytes_len);
    *len += bytes_len;
}

void catalogue_put(EVP_PKEY *key, X509 *certificate, const char *label, const char *id) {
    unsigned char message[8192], hash[32], *spki = NULL, *der = NULL;
    size_t len = 0;
    int spki_len = i2d_PUBKEY(key, &spki), der_len = certificate != NULL ? i2d_X509(certificate, &der) : 0;

    catalogue_hash(key, hash);
    put_bytes(message, &len, 1, label, strlen(label));
    put_bytes(message, &len, 2, id, strlen(id));
    put_bytes(message, &len, 3, hash, sizeof hash);
    put_bytes(message, &len, 6, spki, (size_t)spki_len);
    if (der != NULL)
        put_bytes(message, &len, 7, der, (size_t)der_len);
    put_bytes(catalogue, &catalogue_len, 3, message, len);
    OPENSSL_free(spki);
    OPENSSL_free(der);
}

void catalogue_spoil(void) {
    catalogue[0] = 0xff;
}

void catalogue_write(const char *path) {
    char aside[256];
    FILE *file;

    snprintf(aside, sizeof aside, "%s.new", path);
    file = fopen(aside, "w");
    if (file == NULL || fwrite(catalogue, 1, catalogue_len, file) != catalogue_len || fclose(file) != 0 ||
        rename(aside, path) != 0) {
        perror(path);
        abort();
    }
}

void catalogue_hash(EVP_PKEY *key, unsigned char hash[32]) {
    unsigned char *spki = NULL;
    int len = i2d_PUBKEY(key, &spki);

    EVP_Q_digest(NULL, "SHA256", NULL, spki, (size_t)len, hash, NULL);
    OPENSSL_free(spki);
}
