#include "fixture.h"
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

OSSL_LIB_CTX *libctx;
test_key keys[KINDS] = {
    {.name = "RSA", .digest = "SHA256"},
    {.name = "P-256", .digest = "SHA256"},
    {.name = "P-384", .digest = "SHA384"},
    {.name = "P-521", .digest = "SHA512"},
    {.name = "ED25519"},
    {.name = "RSA-PSS", .digest = "SHA256"},
};

static OSSL_LIB_CTX *genuine_libctx;
static OSSL_PROVIDER *genuine_default, *standard, *signet;
static char folder[] = "/tmp/signet-provider-XXXXXX";

const char *in_folder(const char *name) {
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Under valgrind it takes long to find primes: SIGNET_TEST_KEYS is a folder where another process has left RSA keys. */
static EVP_PKEY *found_key(const char *name) {
    const char *where = getenv("SIGNET_TEST_KEYS");
    char path[512];
    BIO *bio;
    EVP_PKEY *key;

    if (where == NULL)
        return NULL;
    snprintf(path, sizeof path, "%s/%s.key", where, name);
    bio = BIO_new_file(path, "r");
    key = bio != NULL ? PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, genuine_libctx, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

static EVP_PKEY *make_key(const char *name) {
    EVP_PKEY *found = found_key(name);

    if (found != NULL)
        return found;
    if (strncmp(name, "RSA", 3) == 0)
        return EVP_PKEY_Q_keygen(genuine_libctx, NULL, "RSA", (size_t)2048);
    if (strcmp(name, "ED25519") == 0)
        return EVP_PKEY_Q_keygen(genuine_libctx, NULL, "ED25519");
    return EVP_PKEY_Q_keygen(genuine_libctx, NULL, "EC", name);
}

/* The same numbers as a key of type RSA-PSS. */
static EVP_PKEY *as_rsa_pss(EVP_PKEY *rsa) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(genuine_libctx, "RSA-PSS", NULL);
    OSSL_PARAM *numbers = NULL;
    EVP_PKEY *key = NULL;

    EVP_PKEY_todata(rsa, EVP_PKEY_KEYPAIR, &numbers);
    EVP_PKEY_fromdata_init(context);
    EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, numbers);
    OSSL_PARAM_free(numbers);
    EVP_PKEY_CTX_free(context);
    return key;
}

static void make_keys(test_key *key) {
    key->in_token = make_key(key->name);
    if (strcmp(key->name, "RSA-PSS") == 0)
        key->genuine = as_rsa_pss(key->in_token);
    else if (EVP_PKEY_up_ref(key->in_token))
        key->genuine = key->in_token;
}

static void make_reference(test_key *key) {
    static const unsigned char version[] = {0x02, 0x01, 0x01}, rsa_pss[] = {0xa1, 0x02, 0x05, 0x00};
    unsigned char *spki = NULL, der[4096], *at = der;
    int len = i2d_PUBKEY(key->in_token, &spki), mark_len = key->genuine != key->in_token ? (int)sizeof rsa_pss : 0;
    BIO *bio = BIO_new(BIO_s_mem());

    ASN1_put_object(&at, 1, (int)sizeof version + len + mark_len, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    memcpy(at, version, sizeof version);
    memcpy(at + sizeof version, spki, (size_t)len);
    memcpy(at + sizeof version + len, rsa_pss, (size_t)mark_len);
    PEM_write_bio(bio, "SIGNET KEY REFERENCE", "", der, (at - der) + (long)sizeof version + len + mark_len);
    BIO_read(bio, key->reference_pem, sizeof key->reference_pem - 1);
    BIO_free(bio);
    OPENSSL_free(spki);
}

static X509 *make_certificate(EVP_PKEY *key, const char *digest) {
    X509 *certificate = X509_new_ex(genuine_libctx, NULL);
    EVP_MD *md = digest != NULL ? EVP_MD_fetch(genuine_libctx, digest, NULL) : NULL;

    X509_set_version(certificate, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const unsigned char *)"test",
                               -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, md);
    EVP_MD_free(md);
    return certificate;
}

/* The certificate as a server would have it: parsed in the context that the provider is in. */
static X509 *move_certificate(X509 *made) {
    unsigned char *der = NULL;
    const unsigned char *at;
    int len = i2d_X509(made, &der);
    X509 *moved = X509_new_ex(libctx, NULL);

    at = der;
    d2i_X509(&moved, &at, len);
    OPENSSL_free(der);
    X509_free(made);
    return moved;
}

static void write_key(const test_key *key, char *paths, size_t room) {
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s.key", folder, key->name);
    file = fopen(path, "w");
    PEM_write_PrivateKey(file, key->in_token, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    if (paths[0] != '\0')
        strncat(paths, ":", room - strlen(paths) - 1);
    strncat(paths, path, room - strlen(paths) - 1);
}

/* The provider as openssl.cnf would load it, in a context of its own. */
static int load_provider(void) {
    char path[128];
    const char *module = getenv("SIGNET_TEST_MODULE");
    FILE *file;

    if (module == NULL)
        return 0;
    snprintf(path, sizeof path, "%s/openssl.cnf", folder);
    file = fopen(path, "w");
    fprintf(file,
            "openssl_conf = init\n[init]\nproviders = list\n[list]\ndefault = d\nsignet = s\n[d]\nactivate = 1\n"
            "[s]\nmodule = %s\nactivate = 1\ntimeout_ms = 5000\ncatalogue = %s/catalogue.pb\n",
            module, folder);
    fclose(file);
    libctx = OSSL_LIB_CTX_new();
    return OSSL_LIB_CTX_load_config(libctx, path) && (standard = OSSL_PROVIDER_load(libctx, "default")) != NULL &&
           (signet = OSSL_PROVIDER_load(libctx, "signet")) != NULL;
}

int load_everything(void **state) {
    char paths[1024] = "";

    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    genuine_libctx = OSSL_LIB_CTX_new();
    genuine_default = OSSL_PROVIDER_load(genuine_libctx, "default");
    for (int i = 0; i < KINDS; i++) {
        make_keys(&keys[i]);
        make_reference(&keys[i]);
        write_key(&keys[i], paths, sizeof paths);
    }
    setenv("SIGNET_FAKE_KEYS", paths, 1);
    if (!load_provider()) {
        ERR_print_errors_fp(stderr);
        fprintf(stderr, "expected the provider's file in SIGNET_TEST_MODULE\n");
        return -1;
    }
    for (int i = 0; i < KINDS; i++) {
        keys[i].certificate = move_certificate(make_certificate(keys[i].genuine, keys[i].digest));
        keys[i].key = read_pem(libctx, keys[i].reference_pem);
        if (keys[i].key == NULL)
            ERR_print_errors_fp(stderr);
    }
    return 0;
}

static void remove_folder(void) {
    char path[128];

    for (int i = 0; i < KINDS; i++) {
        snprintf(path, sizeof path, "%s/%s.key", folder, keys[i].name);
        unlink(path);
    }
    unlink(in_folder("openssl.cnf"));
    unlink(in_folder("catalogue.pb"));
    rmdir(folder);
}

int free_everything(void **state) {
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        EVP_PKEY_free(keys[i].genuine);
        EVP_PKEY_free(keys[i].in_token);
        EVP_PKEY_free(keys[i].key);
        X509_free(keys[i].certificate);
    }
    OSSL_PROVIDER_unload(signet);
    OSSL_PROVIDER_unload(standard);
    OSSL_PROVIDER_unload(genuine_default);
    OSSL_LIB_CTX_free(libctx);
    OSSL_LIB_CTX_free(genuine_libctx);
    remove_folder();
    return 0;
}

EVP_PKEY *read_pem(OSSL_LIB_CTX *from, const char *pem) {
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, from, NULL);
    BIO_free(bio);
    return key;
}

static int set_pss(EVP_PKEY_CTX *params) {
    return EVP_PKEY_CTX_set_rsa_padding(params, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(params, RSA_PSS_SALTLEN_DIGEST) == 1;
}

int sign_message(EVP_PKEY *key, const char *digest, int pss, const void *message, size_t len, unsigned char *out,
                 size_t *out_len) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *params;
    int ok = EVP_DigestSignInit_ex(context, &params, digest, libctx, NULL, key, NULL) == 1 &&
             (!pss || set_pss(params)) && EVP_DigestSign(context, NULL, out_len, message, len) == 1 &&
             EVP_DigestSign(context, out, out_len, message, len) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

int is_right(const test_key *key, int pss, const void *message, size_t len, const unsigned char *made,
             size_t made_len) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *params;
    int is_pss = pss || key->genuine != key->in_token;
    int ok = EVP_DigestVerifyInit_ex(context, &params, key->digest, genuine_libctx, NULL, key->genuine, NULL) == 1 &&
             (!is_pss || set_pss(params)) && EVP_DigestVerify(context, made, made_len, message, len) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}
