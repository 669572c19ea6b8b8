/* What signet_client.h promises where no service answers: the same on the fake client and on the real one (Makefile).
 */
#include "signet_client.h"
#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOBODY "/nonexistent/signet-contract.sock"
#define PATIENCE_MS 5000

static const signet_sign_request REQUEST = {.scheme = 0x0403, .input = (const unsigned char *)"x", .input_len = 1};

static signet_client *client_for(const char *sockets) {
    signet_client_options options = {.sockets = sockets, .timeout_ms = 500, .agent = "contract-test/1"};
    return signet_client_new(&options);
}

static void assert_says_why(const signet_sign_result *result) {
    assert_int_equal(result->status, SIGNET_UNREACHABLE);
    assert_int_equal(result->signature_len, 0);
    assert_non_null(memchr(result->reason, '\0', sizeof result->reason));
    assert_non_null(strstr(result->reason, ".sock"));
}

static void a_list_of_sockets_is_checked(void **state) {
    char path[SIGNET_SOCKET_PATH_BYTES_MAX + 1] = "/", list[64] = "/s";

    (void)state;
    memset(path + 1, 'x', sizeof path - 2);
    assert_null(client_for(path));
    for (int i = 0; i < SIGNET_SOCKETS_MAX; i++)
        strcat(list, ":/s");
    assert_null(client_for(list));
}

static void a_failure_says_why_and_touches_nothing_else(void **state) {
    signet_client *client = client_for(NOBODY);
    signet_sign_result result;

    (void)state;
    errno = 4711;
    assert_int_equal(signet_client_sign(client, &REQUEST, &result), SIGNET_UNREACHABLE);
    assert_int_equal(errno, 4711);
    assert_int_equal(ERR_peek_error(), 0);
    assert_says_why(&result);
    signet_client_free(client);
}

static void count(void *calls) {
    atomic_fetch_add((atomic_int *)calls, 1);
}

static void done_is_called_once_and_the_result_can_be_taken(void **state) {
    signet_client *client = client_for(NOBODY);
    signet_sign_result result;
    atomic_int calls = 0;
    signet_pending *pending = signet_client_start(client, &REQUEST, count, &calls);

    (void)state;
    assert_non_null(pending);
    for (int waited = 0; calls == 0 && waited < PATIENCE_MS; waited++)
        poll(NULL, 0, 1);
    assert_int_equal(calls, 1);
    assert_true(signet_pending_is_done(pending));
    assert_int_equal(signet_pending_take(pending, &result), SIGNET_UNREACHABLE);
    assert_says_why(&result);
    signet_client_free(client);
    assert_int_equal(calls, 1);
}

static void after_abandon_done_is_not_called(void **state) {
    signet_client *client = client_for(NOBODY);
    atomic_int calls = 0;
    signet_pending *pending = signet_client_start(client, &REQUEST, count, &calls);
    int before;

    (void)state;
    assert_non_null(pending);
    signet_pending_abandon(pending);
    before = calls;
    signet_client_free(client);
    assert_int_equal(calls, before);
}

static void statuses_have_the_words_that_logs_and_tests_look_for(void **state) {
    static const char *const words[] = {"ok",   "unreachable", "late",         "refused",        "bad request",
                                        "busy", "no token",    "token failed", "protocol error", "internal error"};

    (void)state;
    for (int status = SIGNET_OK; status <= SIGNET_INTERNAL; status++)
        assert_string_equal(signet_status_word((signet_status)status), words[status]);
    assert_non_null(signet_status_word((signet_status)(SIGNET_INTERNAL + 1)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_of_sockets_is_checked),
        cmocka_unit_test(a_failure_says_why_and_touches_nothing_else),
        cmocka_unit_test(done_is_called_once_and_the_result_can_be_taken),
        cmocka_unit_test(after_abandon_done_is_not_called),
        cmocka_unit_test(statuses_have_the_words_that_logs_and_tests_look_for),
    };
    setenv("SIGNET_FAKE_FAIL", "unreachable", 1);
    return cmocka_run_group_tests_name("client contract", tests, NULL, NULL);
}
