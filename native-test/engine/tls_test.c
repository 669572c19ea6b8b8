/* Handshakes with keys of the engine, in memory; and several at once in one thread, as ASYNC_JOBs. */
#include "fixture.h"
#include <openssl/async.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define JOBS 8
#define PATIENCE_MS 60000

typedef struct {
    SSL_CTX *server_context, *client_context;
    SSL *server, *client;
} pair;

static SSL_CTX *make_context(const SSL_METHOD *method, int version, int kind) {
    SSL_CTX *context = SSL_CTX_new(method);
    EVP_PKEY *key = load_key(kind);

    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    assert_int_equal(SSL_CTX_use_certificate(context, keys[kind].certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    assert_int_equal(SSL_CTX_check_private_key(context), 1);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), keys[kind].certificate);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    EVP_PKEY_free(key);
    return context;
}

/* Both sides have the key, so that the client proves itself with it, too. */
static pair make_pair(int version, int kind) {
    pair made = {make_context(TLS_server_method(), version, kind), make_context(TLS_client_method(), version, kind),
                 NULL, NULL};
    BIO *one, *other;

    made.server = SSL_new(made.server_context);
    made.client = SSL_new(made.client_context);
    BIO_new_bio_pair(&one, 0, &other, 0);
    SSL_set_bio(made.server, one, one);
    SSL_set_bio(made.client, other, other);
    SSL_set_accept_state(made.server);
    SSL_set_connect_state(made.client);
    return made;
}

static void free_pair(pair *pair) {
    SSL_free(pair->server);
    SSL_free(pair->client);
    SSL_CTX_free(pair->server_context);
    SSL_CTX_free(pair->client_context);
}

static void shake_hands(pair *pair, const char *what) {
    for (int turns = 0; turns < 20; turns++) {
        int client = SSL_do_handshake(pair->client), client_error = SSL_get_error(pair->client, client);
        int server = SSL_do_handshake(pair->server), server_error = SSL_get_error(pair->server, server);
        if (client == 1 && server == 1)
            return;
        if ((client != 1 && client_error != SSL_ERROR_WANT_READ) ||
            (server != 1 && server_error != SSL_ERROR_WANT_READ)) {
            ERR_print_errors_fp(stderr);
            fail_msg("%s: client %d, server %d", what, client_error, server_error);
        }
    }
    fail_msg("%s: no end", what);
}

static void assert_shakes_hands(int version, int kind) {
    pair pair = make_pair(version, kind);

    shake_hands(&pair, keys[kind].name);
    assert_no_error();
    assert_int_equal(SSL_get_verify_result(pair.client), X509_V_OK);
    free_pair(&pair);
}

static void every_kind_of_key_shakes_hands_with_TLS_1_2_on_both_sides(void **state) {
    (void)state;
    for (int i = 0; i < KINDS; i++)
        assert_shakes_hands(TLS1_2_VERSION, i);
}

static void every_kind_of_key_shakes_hands_with_TLS_1_3_on_both_sides(void **state) {
    (void)state;
    for (int i = 0; i < KINDS; i++)
        assert_shakes_hands(TLS1_3_VERSION, i);
}

static void the_service_sees_whole_TLS_messages(void **state) {
    (void)state;
    assert_shakes_hands(TLS1_3_VERSION, P256_KEY);
    assert_true(strstr(asked(), "0403 message 146") != NULL);
    assert_shakes_hands(TLS1_3_VERSION, RSA_KEY);
    assert_true(strstr(asked(), "0804 message 146") != NULL);
    /* The last request is the client's: its whole handshake. */
    assert_shakes_hands(TLS1_2_VERSION, P256_KEY);
    assert_true(strstr(asked(), "0403 message ") != NULL);
}

static void static_RSA_fails_and_ECDHE_works_beside_it(void **state) {
    pair pair = make_pair(TLS1_2_VERSION, RSA_KEY);
    int client = 0, server = 0;

    (void)state;
    SSL_set_cipher_list(pair.client, "AES128-GCM-SHA256");
    SSL_set_cipher_list(pair.server, "AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256");
    for (int turns = 0; turns < 10 && (client != 1 || server != 1); turns++) {
        client = SSL_do_handshake(pair.client);
        server = SSL_do_handshake(pair.server);
    }
    assert_true(client != 1 || server != 1);
    ERR_clear_error();
    free_pair(&pair);
    pair = make_pair(TLS1_2_VERSION, RSA_KEY);
    SSL_set_cipher_list(pair.server, "AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256");
    shake_hands(&pair, "ECDHE");
    free_pair(&pair);
}

typedef struct {
    ASYNC_JOB *job;
    ASYNC_WAIT_CTX *wait;
    EVP_PKEY *key;
    size_t len;
    unsigned char made[512];
    int ok, finished;
} running;

static int sign_in_job(void *one_in) {
    running *one = *(running **)one_in;
    one->ok = sign_message(one->key, keys[P256_KEY].md, 0, "asynchronous", 12, one->made, &one->len);
    return 1;
}

/* Starts or resumes it; the descriptor to wait for, -1 when it has ended. */
static int step(running *one) {
    OSSL_ASYNC_FD fd = -1;
    size_t count = 1;
    int result;

    switch (ASYNC_start_job(&one->job, one->wait, &result, sign_in_job, &one, sizeof one)) {
    case ASYNC_PAUSE:
        assert_int_equal(ASYNC_WAIT_CTX_get_all_fds(one->wait, &fd, &count), 1);
        return fd;
    case ASYNC_FINISH:
        one->finished = 1;
        return -1;
    default:
        fail_msg("the job could not be run");
        return -1;
    }
}

/* No signature is made before all jobs wait for theirs. */
static void run_all(running *all, int gate) {
    struct pollfd fds[JOBS];
    int left = 0;

    for (int i = 0; i < JOBS; i++) {
        fds[i] = (struct pollfd){.fd = step(&all[i]), .events = POLLIN};
        left += fds[i].fd >= 0;
    }
    assert_int_equal(left, JOBS);
    assert_int_equal(eventfd_write(gate, JOBS), 0);
    while (left > 0) {
        assert_true(poll(fds, JOBS, PATIENCE_MS) > 0);
        for (int i = 0; i < JOBS; i++)
            if (fds[i].revents != 0 && (fds[i].fd = step(&all[i])) < 0)
                left--;
    }
}

static void signatures_of_one_thread_overlap(void **state) {
    running all[JOBS] = {0};
    int gate = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE | EFD_NONBLOCK);
    char text[16];

    (void)state;
    snprintf(text, sizeof text, "%d", gate);
    setenv("SIGNET_FAKE_GATE", text, 1);
    for (int i = 0; i < JOBS; i++) {
        all[i].key = load_key(P256_KEY);
        all[i].wait = ASYNC_WAIT_CTX_new();
    }
    run_all(all, gate);
    for (int i = 0; i < JOBS; i++) {
        assert_true(all[i].finished && all[i].ok);
        assert_true(is_right(P256_KEY, 0, "asynchronous", 12, all[i].made, all[i].len));
        ASYNC_WAIT_CTX_free(all[i].wait);
        EVP_PKEY_free(all[i].key);
    }
    ASYNC_cleanup_thread();
    close(gate);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_engine, close_engine)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_key_shakes_hands_with_TLS_1_2_on_both_sides),
        TEST(every_kind_of_key_shakes_hands_with_TLS_1_3_on_both_sides),
        TEST(the_service_sees_whole_TLS_messages),
        TEST(static_RSA_fails_and_ECDHE_works_beside_it),
        TEST(signatures_of_one_thread_overlap),
    };
    return cmocka_run_group_tests(tests, make_everything, free_everything);
}
