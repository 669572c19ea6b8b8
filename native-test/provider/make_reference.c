/*
 * Writes a reference PEM (docs/reference-pem.md) for the key on standard input, public or private.
 *
 *     make_reference [--rsa-pss] [--pkcs8] LABEL < key.pem > reference.pem
 *
 * --rsa-pss marks it as an RSA-PSS key, --pkcs8 writes the second form. An independent writer for the tests: the
 * product's own is the TypeScript CLI, its reader native/provider/reference.c.
 */
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define OID_ARC "2.25.399865798948577069417177843685981930"

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

static long put_reference(unsigned char *der, const unsigned char *spki, int spki_len, const char *label, int rsa_pss) {
    static const unsigned char version[] = {0x02, 0x01, 0x01}, mark[] = {0xa1, 0x02, 0x05, 0x00};
    unsigned char *at = der;
    int mark_len = rsa_pss ? (int)sizeof mark : 0;

    ASN1_put_object(&at, 1, (int)sizeof version + spki_len + label_size(label) + mark_len, V_ASN1_SEQUENCE,
                    V_ASN1_UNIVERSAL);
    memcpy(at, version, sizeof version);
    memcpy(at + sizeof version, spki, (size_t)spki_len);
    at += (int)sizeof version + spki_len;
    if (label[0] != '\0')
        put_label(&at, label);
    memcpy(at, mark, (size_t)mark_len);
    return at - der + mark_len;
}

/* libcrypto's own PKCS#8 around it. */
static int write_pkcs8(EVP_PKEY *key, int rsa_pss, unsigned char *reference, long len) {
    const char *oid = rsa_pss                         ? OID_ARC ".4"
                      : EVP_PKEY_is_a(key, "RSA")     ? OID_ARC ".1"
                      : EVP_PKEY_is_a(key, "EC")      ? OID_ARC ".2"
                      : EVP_PKEY_is_a(key, "ED25519") ? OID_ARC ".3"
                                                      : "";
    PKCS8_PRIV_KEY_INFO *info = PKCS8_PRIV_KEY_INFO_new();
    int ok = PKCS8_pkey_set0(info, OBJ_txt2obj(oid, 1), 0, V_ASN1_UNDEF, NULL, OPENSSL_memdup(reference, (size_t)len),
                             (int)len) &&
             PEM_write_PKCS8_PRIV_KEY_INFO(stdout, info);

    PKCS8_PRIV_KEY_INFO_free(info);
    return ok;
}

int main(int argc, char **argv) {
    static unsigned char der[8192];
    int rsa_pss = argc > 1 && strcmp(argv[1], "--rsa-pss") == 0, at = 1 + rsa_pss;
    int pkcs8 = argc > at && strcmp(argv[at], "--pkcs8") == 0;
    const char *label = argc == at + pkcs8 + 1 ? argv[at + pkcs8] : NULL;
    EVP_PKEY *key = label != NULL && strlen(label) <= 256 ? read_key() : NULL;
    unsigned char *spki = NULL;
    int spki_len = key != NULL ? i2d_PUBKEY(key, &spki) : -1, ok;
    long len;

    if (spki_len <= 0 || spki_len > 4096) {
        fprintf(stderr, "usage: make_reference [--rsa-pss] [--pkcs8] LABEL < key.pem > reference.pem\n");
        return 2;
    }
    len = put_reference(der, spki, spki_len, label, rsa_pss);
    ok = pkcs8 ? write_pkcs8(key, rsa_pss, der, len) : PEM_write(stdout, "SIGNET KEY REFERENCE", "", der, len) > 0;
    OPENSSL_free(spki);
    EVP_PKEY_free(key);
    return ok ? 0 : 1;
}
