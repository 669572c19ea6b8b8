#include "fixture.h"
#include "catalogue_writer.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

test_key keys[KINDS] = {{.name = "RSA"}, {.name = "P-256"}, {.name = "P-384"}, {.name = "P-521"}, {.name = "ED25519"}};
ENGINE *engine;

static char folder[] = "/tmp/signet-engine-XXXXXX";

static EVP_PKEY *make_key(const char *name) {
    if (strcmp(name, "RSA") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    if (strcmp(name, "ED25519") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return EVP_PKEY_Q_keygen(NULL, NULL, "EC", name);
}

static X509 *make_certificate(const test_key *key) {
    X509 *certificate = X509_new();

    X509_set_version(certificate, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const unsigned char *)key->name,
                               -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, key->genuine);
    assert_true(X509_sign(certificate, key->genuine, key->md) > 0);
    return certificate;
}

static void write_key(const test_key *key, char *paths, size_t room) {
    FILE *file = fopen(in_folder(key->name), "w");

    assert_int_equal(PEM_write_PrivateKey(file, key->genuine, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    if (paths[0] != '\0')
        strncat(paths, ":", room - strlen(paths) - 1);
    strncat(paths, in_folder(key->name), room - strlen(paths) - 1);
}

int make_everything(void **state) {
    char paths[1024] = "";

    (void)state;
    assert_non_null(mkdtemp(folder));
    keys[RSA_KEY].md = keys[P256_KEY].md = EVP_sha256();
    keys[P384_KEY].md = EVP_sha384();
    keys[P521_KEY].md = EVP_sha512();
    for (int i = 0; i < KINDS; i++) {
        keys[i].genuine = make_key(keys[i].name);
        assert_non_null(keys[i].genuine);
        keys[i].certificate = make_certificate(&keys[i]);
        write_key(&keys[i], paths, sizeof paths);
    }
    setenv("SIGNET_FAKE_KEYS", paths, 1);
    setenv("SIGNET_FAKE_LOG", in_folder("log"), 1);
    return 0;
}

int free_everything(void **state) {
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        unlink(in_folder(keys[i].name));
        EVP_PKEY_free(keys[i].genuine);
        X509_free(keys[i].certificate);
    }
    unlink(in_folder("catalogue.pb"));
    unlink(in_folder("log"));
    return rmdir(folder);
}

int open_engine(void **state) {
    (void)state;
    write_catalogue();
    engine = load_engine((const char *[]){"CATALOGUE", in_folder("catalogue.pb"), "TIMEOUT_MS", "5000", NULL});
    assert_int_equal(ENGINE_init(engine), 1);
    assert_no_error();
    return 0;
}

int close_engine(void **state) {
    (void)state;
    if (engine != NULL) {
        ENGINE_finish(engine);
        ENGINE_free(engine);
    }
    engine = NULL;
    unsetenv("SIGNET_FAKE_FAIL");
    unsetenv("SIGNET_FAKE_GATE");
    unlink(in_folder("log"));
    ERR_clear_error();
    return 0;
}

ENGINE *load_engine(const char *const *settings) {
    ENGINE *loaded;

    ENGINE_load_builtin_engines();
    loaded = ENGINE_by_id("dynamic");
    assert_non_null(loaded);
    assert_int_equal(ENGINE_ctrl_cmd_string(loaded, "SO_PATH", getenv("SIGNET_TEST_MODULE"), 0), 1);
    assert_int_equal(ENGINE_ctrl_cmd_string(loaded, "ID", "signet", 0), 1);
    if (!ENGINE_ctrl_cmd_string(loaded, "LOAD", NULL, 0)) {
        ERR_print_errors_fp(stderr);
        fail_msg("the engine is not loaded");
    }
    for (; *settings != NULL; settings += 2)
        assert_int_equal(ENGINE_ctrl_cmd_string(loaded, settings[0], settings[1], 0), 1);
    return loaded;
}

const char *in_folder(const char *name) {
    static char path[2][128];
    static int turn;

    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

void write_catalogue(void) {
    char label[32], id[32];

    catalogue_begin();
    for (int i = 0; i < KINDS; i++) {
        snprintf(label, sizeof label, "www-%s", keys[i].name);
        snprintf(id, sizeof id, "id-%s", keys[i].name);
        catalogue_put(keys[i].genuine, keys[i].certificate, label, id);
    }
    catalogue_write(in_folder("catalogue.pb"));
}

EVP_PKEY *load_key(int kind) {
    char name[64];
    EVP_PKEY *key;

    snprintf(name, sizeof name, "label_www-%s", keys[kind].name);
    key = ENGINE_load_private_key(engine, name, NULL, NULL);
    if (key == NULL) {
        ERR_print_errors_fp(stderr);
        fail_msg("no key %s", name);
    }
    return key;
}

static int set_padding(EVP_PKEY_CTX *params, int padding) {
    if (padding == 0)
        return 1;
    return EVP_PKEY_CTX_set_rsa_padding(params, padding) == 1 &&
           (padding != RSA_PKCS1_PSS_PADDING || EVP_PKEY_CTX_set_rsa_pss_saltlen(params, RSA_PSS_SALTLEN_DIGEST) == 1);
}

int sign_message(EVP_PKEY *key, const EVP_MD *md, int padding, const void *message, size_t len, unsigned char *made,
                 size_t *made_len) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *params;
    int ok = EVP_DigestSignInit(context, &params, md, NULL, key) == 1 && set_padding(params, padding) &&
             EVP_DigestSign(context, NULL, made_len, message, len) == 1 &&
             EVP_DigestSign(context, made, made_len, message, len) == 1;

    EVP_MD_CTX_free(context);
    return ok;
}

int is_right(int kind, int padding, const void *message, size_t len, const unsigned char *made, size_t made_len) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *params;
    int ok = EVP_DigestVerifyInit(context, &params, keys[kind].md, NULL, keys[kind].genuine) == 1 &&
             set_padding(params, padding) && EVP_DigestVerify(context, made, made_len, message, len) == 1;

    EVP_MD_CTX_free(context);
    return ok;
}

const char *asked(void) {
    static char line[128];
    FILE *log = fopen(in_folder("log"), "r");

    line[0] = '\0';
    if (log == NULL)
        return line;
    while (fgets(line, sizeof line, log) != NULL)
        line[strcspn(line, "\n")] = '\0';
    fclose(log);
    unlink(in_folder("log"));
    return line;
}

void assert_error(const char *words) {
    char all[4096] = "";
    const char *data;
    unsigned long code;
    int flags;

    while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        char line[1024];
        ERR_error_string_n(code, line, 256);
        strncat(strncat(all, line, sizeof all - strlen(all) - 1), ": ", sizeof all - strlen(all) - 1);
        strncat(all, flags & ERR_TXT_STRING ? data : "", sizeof all - strlen(all) - 1);
        strncat(all, "\n", sizeof all - strlen(all) - 1);
    }
    if (strstr(all, words) == NULL)
        fail_msg("expected an error with \"%s\"; came: %s", words, all);
}

void assert_no_error(void) {
    if (ERR_peek_error() != 0) {
        ERR_print_errors_fp(stderr);
        fail_msg("an error was left on the queue");
    }
}
