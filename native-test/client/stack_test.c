/* How much stack a signature takes: the fibres of libcrypto have 32 KiB, and the TLS library needs most of it. */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define FIBRE_BYTES ((size_t)64 * 1024)
#define STACK_BYTES_MAX ((size_t)8 * 1024)
#define PAINT 0xa5

static ucontext_t back;
static signet_client *client;
static signet_sign_result outcome;
static const char *message;

static void sign_in_fibre(void) {
    signet_sign_request request = request_of(message);

    signet_client_sign(client, &request, &outcome);
}

static void ignore_call(void *unused) {
    (void)unused;
}

static void start_in_fibre(void) {
    signet_sign_request request = request_of(message);
    signet_pending *pending = signet_client_start(client, &request, ignore_call, NULL);

    signet_pending_take(pending, &outcome);
}

/* Runs the function on a painted stack and returns how much of the paint is gone. */
static size_t stack_bytes_of(void (*function)(void), const char *what) {
    unsigned char *stack = malloc(FIBRE_BYTES);
    ucontext_t fibre;
    volatile size_t untouched = 0; /* getcontext may return twice */

    memset(stack, PAINT, FIBRE_BYTES);
    getcontext(&fibre);
    fibre.uc_stack.ss_sp = stack;
    fibre.uc_stack.ss_size = FIBRE_BYTES;
    fibre.uc_link = &back;
    message = what;
    makecontext(&fibre, function, 0);
    swapcontext(&back, &fibre);
    while (untouched < FIBRE_BYTES && stack[untouched] == PAINT)
        untouched++;
    free(stack);
    print_message("%-12s %-10s %zu bytes of stack\n", function == sign_in_fibre ? "sign" : "start+take", what,
                  FIBRE_BYTES - untouched);
    return FIBRE_BYTES - untouched;
}

static void a_signature_takes_little_stack_whatever_becomes_of_it(void **state) {
    static const char *const MESSAGES[] = {"message", "close-once", "refuse 2 because of a reason", "garbage"};
    scene *scene = *state;
    unsigned i;

    client = new_client(scene->both, PATIENCE_MS);
    for (i = 0; i < sizeof(MESSAGES) / sizeof(MESSAGES[0]); i++) {
        assert_true(stack_bytes_of(sign_in_fibre, MESSAGES[i]) < STACK_BYTES_MAX);
        assert_true(stack_bytes_of(start_in_fibre, MESSAGES[i]) < STACK_BYTES_MAX);
    }
    scene_stop_service(scene);
    assert_true(stack_bytes_of(sign_in_fibre, "nobody") < STACK_BYTES_MAX);
    assert_int_equal(outcome.status, SIGNET_UNREACHABLE);
    assert_true(stack_bytes_of(start_in_fibre, "nobody") < STACK_BYTES_MAX);
    assert_int_equal(outcome.status, SIGNET_UNREACHABLE);
    signet_client_free(client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_signature_takes_little_stack_whatever_becomes_of_it, scene_set_up,
                                        scene_tear_down),
    };

    return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}
