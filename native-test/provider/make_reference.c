/*
 * Writes a reference PEM (docs/reference-pem.md) for the key on standard input, public or private.
 *
 *     make_reference LABEL < key.pem > reference.pem
 *
 * An independent writer for the tests: the product's own is the TypeScript CLI, its reader native/provider/reference.c.
 */
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

static EVP_PKEY *read_key(void) {
    static char text[65536];
    size_t len = fread(text, 1, sizeof text - 1, stdin);
    BIO *bio = BIO_new_mem_buf(text, (int)len);
    EVP_PKEY *key = strstr(text, "PUBLIC KEY") ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL)
                                               : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

/* The [0] EXPLICIT UTF8String, appended at *at. */
static void put_label(unsigned char **at, const char *label) {
    int len = (int)strlen(label);
    ASN1_put_object(at, 1, ASN1_object_size(0, len, V_ASN1_UTF8STRING), 0, V_ASN1_CONTEXT_SPECIFIC);
    ASN1_put_object(at, 0, len, V_ASN1_UTF8STRING, V_ASN1_UNIVERSAL);
    memcpy(*at, label, (size_t)len);
    *at += len;
}

static int label_size(const char *label) {
    int len = (int)strlen(label);
    return len == 0 ? 0 : ASN1_object_size(1, ASN1_object_size(0, len, V_ASN1_UTF8STRING), 0);
}

int main(int argc, char **argv) {
    static const unsigned char version[] = {0x02, 0x01, 0x01};
    static unsigned char der[8192];
    unsigned char *spki = NULL, *at = der;
    EVP_PKEY *key = argc == 2 ? read_key() : NULL;
    int spki_len = key != NULL ? i2d_PUBKEY(key, &spki) : -1;

    if (spki_len <= 0 || spki_len > 4096 || strlen(argv[1]) > 256) {
        fprintf(stderr, "usage: make_reference LABEL < key.pem > reference.pem\n");
        return 2;
    }
    ASN1_put_object(&at, 1, (int)sizeof version + spki_len + label_size(argv[1]), V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    memcpy(at, version, sizeof version);
    memcpy(at + sizeof version, spki, (size_t)spki_len);
    at += (int)sizeof version + spki_len;
    if (argv[1][0] != '\0')
        put_label(&at, argv[1]);
    PEM_write(stdout, "SIGNET KEY REFERENCE", "", der, at - der);
    OPENSSL_free(spki);
    EVP_PKEY_free(key);
    return 0;
}
