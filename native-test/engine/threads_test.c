/* Threads that load keys and sign with them while the catalogue is replaced: the real client and a fake service, whose
 * "signature" is the message. SIGNET_TEST_SIGNATURES is how many each thread makes. */
#include "fake_service.h"
#include "fixture.h"
#include <openssl/err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 8
#define SIGNATURES_DEFAULT "250"
/* So many signatures are made with a key before it is loaded anew. */
#define SIGNATURES_PER_KEY 50

static int signatures;
static atomic_int failures, running;

/* 0 or 1. The text comes back as the signature. */
static int sign(EVP_PKEY *key, int kind, const char *text) {
    unsigned char made[512];
    size_t len;

    return sign_message(key, keys[kind].md, 0, text, strlen(text), made, &len) && len == strlen(text) &&
           memcmp(made, text, len) == 0 && ERR_peek_error() == 0;
}

static void *sign_many(void *number) {
    int kind = *(const int *)number % 2 == 0 ? P256_KEY : RSA_KEY;
    EVP_PKEY *key = NULL;
    char text[64];

    for (int i = 0; i < signatures; i++) {
        if (i % SIGNATURES_PER_KEY == 0) {
            EVP_PKEY_free(key);
            key = load_key(kind);
        }
        snprintf(text, sizeof text, "thread %d message %d", *(const int *)number, i);
        if (!sign(key, kind, text))
            failures++;
    }
    EVP_PKEY_free(key);
    running--;
    return NULL;
}

static void threads_load_and_sign_while_the_catalogue_is_replaced(void **state) {
    const char *count = getenv("SIGNET_TEST_SIGNATURES");
    fake_service *service = fake_start(in_folder("socket"), (fake_options){0});
    pthread_t threads[THREADS];
    int numbers[THREADS];

    (void)state;
    signatures = atoi(count != NULL ? count : SIGNATURES_DEFAULT);
    write_catalogue();
    engine = load_engine((const char *[]){"CATALOGUE", in_folder("catalogue.pb"), "TIMEOUT_MS", "20000", NULL});
    assert_int_equal(ENGINE_ctrl_cmd_string(engine, "SOCKETS", in_folder("socket"), 0), 1);
    assert_int_equal(ENGINE_init(engine), 1);
    running = THREADS;
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, sign_many, &numbers[i]), 0);
    }
    while (running > 0) {
        write_catalogue();
        usleep(10000);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failures, 0);
    assert_int_equal(fake_count(service).requests, THREADS * signatures);
    fake_stop(service);
    unlink(in_folder("socket"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(threads_load_and_sign_while_the_catalogue_is_replaced, close_engine)};
    return cmocka_run_group_tests(tests, make_everything, free_everything);
}
