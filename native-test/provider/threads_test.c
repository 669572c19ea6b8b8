/* Threads that sign with the same keys, load them anew and see the catalogue replaced, all at once: the real client and
 * a fake service, whose "signature" is the message. SIGNET_TEST_SIGNATURES is how many each thread makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "catalogue_writer.h"
#include "fake_service.h"
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 8
#define SIGNATURES_DEFAULT 500
/* So many signatures are made with a key before it is loaded anew. */
#define SIGNATURES_PER_KEY 50

static char folder[] = "/tmp/signet-threads-XXXXXX", path[128];
static OSSL_LIB_CTX *libctx;
static OSSL_PROVIDER *standard, *signet;
static EVP_PKEY *genuine[2];
static fake_service *service;
static int signatures;
static atomic_int failures, running;

static const char *in_folder(const char *name) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_config(const char *module) {
    FILE *file;
    char name[160];

    snprintf(name, sizeof name, "%s/openssl.cnf", folder);
    file = fopen(name, "w");
    fprintf(file,
            "openssl_conf = init\n[init]\nproviders = list\n[list]\ndefault = d\nsignet = s\n[d]\nactivate = 1\n[s]\n"
            "module = %s\nactivate = 1\ntimeout_ms = 20000\nsockets = %s/socket\ncatalogue = %s/catalogue.pb\n",
            module, folder, folder);
    fclose(file);
}

static void write_catalogue(const char *label_of_second) {
    catalogue_begin();
    catalogue_put(genuine[0], NULL, "first", "1");
    catalogue_put(genuine[1], NULL, label_of_second, "2");
    catalogue_write(in_folder("catalogue.pb"));
}

static int set_up(void **state) {
    const char *module = getenv("SIGNET_TEST_MODULE"), *count = getenv("SIGNET_TEST_SIGNATURES");

    (void)state;
    signatures = count != NULL ? atoi(count) : SIGNATURES_DEFAULT;
    if (module == NULL || mkdtemp(folder) == NULL)
        return -1;
    genuine[0] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    genuine[1] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    write_catalogue("second");
    write_config(module);
    service = fake_start(in_folder("socket"), (fake_options){0});
    libctx = OSSL_LIB_CTX_new();
    if (OSSL_LIB_CTX_load_config(libctx, in_folder("openssl.cnf")) &&
        (standard = OSSL_PROVIDER_load(libctx, "default")) != NULL &&
        (signet = OSSL_PROVIDER_load(libctx, "signet")) != NULL)
        return 0;
    ERR_print_errors_fp(stderr);
    return -1;
}

static int tear_down(void **state) {
    (void)state;
    OSSL_PROVIDER_unload(signet);
    OSSL_PROVIDER_unload(standard);
    OSSL_LIB_CTX_free(libctx);
    fake_stop(service);
    EVP_PKEY_free(genuine[0]);
    EVP_PKEY_free(genuine[1]);
    unlink(in_folder("openssl.cnf"));
    unlink(in_folder("catalogue.pb"));
    unlink(in_folder("socket"));
    return rmdir(folder);
}

static EVP_PKEY *load_key(int second) {
    OSSL_STORE_CTX *store =
        OSSL_STORE_open_ex(second ? "signet:id=32" : "signet:label=first", libctx, NULL, NULL, NULL, NULL, NULL, NULL);
    OSSL_STORE_INFO *info = store != NULL ? OSSL_STORE_load(store) : NULL;
    EVP_PKEY *key = info != NULL ? OSSL_STORE_INFO_get1_PKEY(info) : NULL;

    OSSL_STORE_INFO_free(info);
    OSSL_STORE_close(store);
    return key;
}

/* 0 or 1. The text comes back as the signature. */
static int sign(EVP_PKEY *key, const char *text) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char made[512];
    size_t len = sizeof made;
    int ok = EVP_DigestSignInit_ex(context, NULL, "SHA256", libctx, NULL, key, NULL) == 1 &&
             EVP_DigestSign(context, made, &len, (const unsigned char *)text, strlen(text)) == 1 &&
             len == strlen(text) && memcmp(made, text, len) == 0 && ERR_peek_error() == 0;

    EVP_MD_CTX_free(context);
    return ok;
}

static void *sign_many(void *number) {
    EVP_PKEY *key = NULL;
    char text[64];

    for (int i = 0; i < signatures; i++) {
        if (i % SIGNATURES_PER_KEY == 0) {
            EVP_PKEY_free(key);
            key = load_key(*(const int *)number & 1);
        }
        snprintf(text, sizeof text, "thread %d message %d", *(const int *)number, i);
        if (key == NULL || !sign(key, text))
            failures++;
    }
    EVP_PKEY_free(key);
    running--;
    return NULL;
}

static void threads_sign_load_and_see_the_catalogue_replaced(void **state) {
    pthread_t threads[THREADS];
    int numbers[THREADS];

    (void)state;
    running = THREADS;
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, sign_many, &numbers[i]), 0);
    }
    for (int i = 0; running > 0; i++) {
        write_catalogue(i & 1 ? "second" : "renamed");
        usleep(10000);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failures, 0);
    assert_int_equal(fake_count(service).requests, THREADS * signatures);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_sign_load_and_see_the_catalogue_replaced)};
    return cmocka_run_group_tests_name("threads", tests, set_up, tear_down);
}
