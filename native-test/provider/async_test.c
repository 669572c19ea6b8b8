/* Signatures inside ASYNC_JOBs: they overlap on one thread, survive needless resumes, and a connection may go while one
 * is pending. */
#include "fixture.h"
#include <dirent.h>
#include <openssl/async.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#define JOBS 16
/* How long the fake client takes for a signature once it may sign. */
#define DELAY_MS 100
#define PATIENCE_MS 60000

/* The fake client waits here before each signature (SIGNET_FAKE_GATE): until then every job is paused, however slow. */
static int gate;

typedef struct {
    EVP_PKEY *key;
    const char *digest;
    int ok;
    size_t len;
    unsigned char made[512];
} job_work;

typedef struct {
    ASYNC_JOB *job;
    ASYNC_WAIT_CTX *wait;
    OSSL_ASYNC_FD fd;
    test_key *test;
    job_work work;
    int resumes, finished;
} running;

static long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int count_descriptors(void) {
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void let_sign(unsigned signatures) {
    assert_int_equal(eventfd_write(gate, signatures), 0);
}

static int sign_in_job(void *work_in) {
    job_work *work = *(job_work **)work_in;
    work->ok = sign_message(work->key, work->digest, 0, "asynchronous", 12, work->made, &work->len);
    return 1;
}

static int sign_with_pause_blocked(void *work) {
    ASYNC_block_pause();
    sign_in_job(work);
    ASYNC_unblock_pause();
    return 1;
}

/* Starts or resumes; the job is over when finished is set. */
static void step(running *one) {
    job_work *work = &one->work;
    int result;
    size_t fds = 0;

    switch (ASYNC_start_job(&one->job, one->wait, &result, sign_in_job, &work, sizeof work)) {
    case ASYNC_PAUSE:
        one->resumes++;
        assert_int_equal(ASYNC_WAIT_CTX_get_all_fds(one->wait, NULL, &fds), 1);
        assert_int_equal(fds, 1);
        ASYNC_WAIT_CTX_get_all_fds(one->wait, &one->fd, &fds);
        break;
    case ASYNC_FINISH:
        one->finished = 1;
        break;
    default:
        fail_msg("ASYNC_start_job failed");
    }
}

static void begin(running *one, test_key *test) {
    memset(one, 0, sizeof *one);
    one->wait = ASYNC_WAIT_CTX_new();
    one->test = test;
    one->work.key = test->key;
    one->work.digest = test->digest;
    step(one);
    assert_false(one->finished);
}

static int poll_and_step(running *all, int count) {
    struct pollfd fds[JOBS];
    int left = 0;

    for (int i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = all[i].finished ? -1 : all[i].fd, .events = POLLIN};
    assert_true(poll(fds, (nfds_t)count, PATIENCE_MS) > 0);
    for (int i = 0; i < count; i++) {
        if (fds[i].revents != 0)
            step(&all[i]);
        left += !all[i].finished;
    }
    return left;
}

static void jobs_on_one_thread_overlap(void **state) {
    running all[JOBS];

    (void)state;
    for (int i = 0; i < JOBS; i++)
        begin(&all[i], &keys[i % KINDS]);
    let_sign(JOBS);
    while (poll_and_step(all, JOBS) > 0)
        ;
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(all[i].work.ok, 1);
        assert_int_equal(all[i].resumes, 1);
        assert_true(is_right(all[i].test, 0, "asynchronous", 12, all[i].work.made, all[i].work.len));
        ASYNC_WAIT_CTX_free(all[i].wait);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

static void needless_resumes_do_no_harm(void **state) {
    running one;

    (void)state;
    begin(&one, &keys[1]);
    for (int i = 0; i < 20; i++)
        step(&one);
    assert_false(one.finished);
    let_sign(1);
    while (!one.finished)
        poll_and_step(&one, 1);
    assert_int_equal(one.work.ok, 1);
    assert_true(is_right(one.test, 0, "asynchronous", 12, one.work.made, one.work.len));
    ASYNC_WAIT_CTX_free(one.wait);
}

static void a_connection_keeps_its_descriptor(void **state) {
    running one;
    OSSL_ASYNC_FD first;
    struct pollfd quiet;
    int before = count_descriptors();

    (void)state;
    begin(&one, &keys[1]);
    first = one.fd;
    for (int i = 0; i < 3; i++) {
        let_sign(1);
        while (!one.finished)
            poll_and_step(&one, 1);
        one.finished = 0;
        one.job = NULL;
        step(&one);
        assert_int_equal(one.fd, first);
    }
    let_sign(1);
    while (!one.finished)
        poll_and_step(&one, 1);
    quiet = (struct pollfd){.fd = first, .events = POLLIN};
    assert_int_equal(poll(&quiet, 1, 0), 0);
    assert_int_equal(count_descriptors(), before + 1);
    ASYNC_WAIT_CTX_free(one.wait);
    assert_int_equal(count_descriptors(), before);
}

/* HAProxy hears of a descriptor when a job pauses; one that it did not hear of must not be there when it closes. */
static void an_answer_before_the_pause_leaves_no_descriptor(void **state) {
    running one = {.wait = ASYNC_WAIT_CTX_new(), .test = &keys[1]};
    size_t fds = 1;
    int before = count_descriptors();

    (void)state;
    one.work = (job_work){.key = keys[1].key, .digest = keys[1].digest};
    let_sign(1);
    setenv("SIGNET_FAKE_AT_ONCE", "1", 1);
    step(&one);
    unsetenv("SIGNET_FAKE_AT_ONCE");
    assert_true(one.finished);
    assert_int_equal(one.resumes, 0);
    assert_int_equal(one.work.ok, 1);
    assert_true(is_right(one.test, 0, "asynchronous", 12, one.work.made, one.work.len));
    assert_int_equal(ASYNC_WAIT_CTX_get_all_fds(one.wait, NULL, &fds), 1);
    assert_int_equal(fds, 0);
    assert_int_equal(count_descriptors(), before);
    ASYNC_WAIT_CTX_free(one.wait);
}

/* As HAProxy does it when a client goes: the job is lost, the answer comes later, nobody may be hurt. */
static void a_connection_may_go_while_a_signature_is_pending(void **state) {
    /* The job cannot be freed; like this it counts as held, not as leaked. */
    static ASYNC_JOB *volatile lost;
    running gone, other;
    int before = count_descriptors();

    (void)state;
    begin(&gone, &keys[1]);
    begin(&other, &keys[2]);
    lost = gone.job;
    assert_non_null(lost);
    ASYNC_WAIT_CTX_free(gone.wait);
    /* Nobody waits for the answer any more. */
    assert_int_equal(count_descriptors(), before + 1);
    let_sign(1);
    while (!other.finished)
        poll_and_step(&other, 1);
    assert_int_equal(other.work.ok, 1);
    ASYNC_WAIT_CTX_free(other.wait);
    for (long end = now_ms() + PATIENCE_MS; count_descriptors() > before && now_ms() < end;)
        poll(NULL, 0, 1);
    assert_int_equal(count_descriptors(), before);
}

static void outside_of_a_job_it_waits(void **state) {
    unsigned char made[512];
    size_t len;
    long started = now_ms();

    (void)state;
    let_sign(1);
    assert_int_equal(sign_message(keys[1].key, "SHA256", 0, "x", 1, made, &len), 1);
    assert_true(now_ms() - started >= DELAY_MS);
}

static void where_pausing_is_blocked_it_waits(void **state) {
    job_work work = {.key = keys[1].key, .digest = "SHA256"}, *argument = &work;
    ASYNC_WAIT_CTX *wait = ASYNC_WAIT_CTX_new();
    ASYNC_JOB *job = NULL;
    int result;

    (void)state;
    let_sign(1);
    assert_int_equal(ASYNC_start_job(&job, wait, &result, sign_with_pause_blocked, &argument, sizeof argument),
                     ASYNC_FINISH);
    assert_int_equal(work.ok, 1);
    assert_true(is_right(&keys[1], 0, "asynchronous", 12, work.made, work.len));
    ASYNC_WAIT_CTX_free(wait);
}

typedef struct {
    SSL *client, *server;
} pair;

static void open_pair(pair *pair, SSL_CTX *context, SSL_CTX *client_context) {
    BIO *one, *other;
    pair->client = SSL_new(client_context);
    pair->server = SSL_new(context);
    BIO_new_bio_pair(&one, 0, &other, 0);
    SSL_set_bio(pair->client, one, one);
    SSL_set_bio(pair->server, other, other);
    SSL_set_connect_state(pair->client);
    SSL_set_accept_state(pair->server);
    SSL_set_mode(pair->server, SSL_MODE_ASYNC);
}

/* Runs the handshake as far as it goes. Gives the descriptor that the server waits for, -1 if for none. */
static int advance(pair *pair) {
    OSSL_ASYNC_FD fd = -1;
    size_t count = 1;
    SSL_do_handshake(pair->client);
    SSL_do_handshake(pair->server);
    SSL_do_handshake(pair->client);
    if (SSL_is_init_finished(pair->client) && SSL_do_handshake(pair->server) == 1)
        return -1;
    if (SSL_waiting_for_async(pair->server))
        SSL_get_all_async_fds(pair->server, &fd, &count);
    return fd;
}

/* One turn for all; gives how many wait for their signature. */
static int advance_all(pair *pairs, int *left) {
    struct pollfd fds[JOBS];
    int waiting = 0;

    *left = 0;
    for (int i = 0; i < JOBS; i++) {
        fds[i] = (struct pollfd){.fd = advance(&pairs[i]), .events = POLLIN};
        waiting += fds[i].fd >= 0;
        *left += !SSL_is_init_finished(pairs[i].server) || !SSL_is_init_finished(pairs[i].client);
    }
    if (*left > 0)
        poll(fds, JOBS, 20);
    return waiting;
}

static void handshakes_on_one_thread_overlap(void **state) {
    SSL_CTX *context = SSL_CTX_new_ex(libctx, NULL, TLS_method()),
            *client_context = SSL_CTX_new_ex(libctx, NULL, TLS_method());
    pair pairs[JOBS];
    long end = now_ms() + PATIENCE_MS;
    int left = JOBS;

    (void)state;
    assert_int_equal(SSL_CTX_use_certificate(context, keys[0].certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, keys[0].key), 1);
    for (int i = 0; i < JOBS; i++)
        open_pair(&pairs[i], context, client_context);
    while (advance_all(pairs, &left) < JOBS)
        assert_true(now_ms() < end);
    let_sign(JOBS);
    while (left > 0) {
        assert_true(now_ms() < end);
        advance_all(pairs, &left);
    }
    for (int i = 0; i < JOBS; i++) {
        SSL_free(pairs[i].client);
        SSL_free(pairs[i].server);
    }
    SSL_CTX_free(context);
    SSL_CTX_free(client_context);
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_on_one_thread_overlap),
        cmocka_unit_test(needless_resumes_do_no_harm),
        cmocka_unit_test(a_connection_keeps_its_descriptor),
        cmocka_unit_test(an_answer_before_the_pause_leaves_no_descriptor),
        cmocka_unit_test(outside_of_a_job_it_waits),
        cmocka_unit_test(where_pausing_is_blocked_it_waits),
        cmocka_unit_test(handshakes_on_one_thread_overlap),
        cmocka_unit_test(a_connection_may_go_while_a_signature_is_pending),
    };
    char text[16];

    gate = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE | EFD_NONBLOCK);
    snprintf(text, sizeof text, "%d", gate);
    setenv("SIGNET_FAKE_GATE", text, 1);
    snprintf(text, sizeof text, "%d", DELAY_MS);
    setenv("SIGNET_FAKE_DELAY_MS", text, 1);
    return cmocka_run_group_tests_name("async", tests, load_everything, free_everything);
}
