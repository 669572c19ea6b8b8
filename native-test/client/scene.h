/* What the tests of the client have in common: a temporary folder, fake services in it, a client, and one way to sign.
 */
#ifndef SIGNET_TEST_SCENE_H
#define SIGNET_TEST_SCENE_H

#include "fake_service.h"
#include "signet_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Beyond its deadline no caller may be kept longer (reliability-goals). */
#define LATE_MS_MAX 50
/* For requests whose time is not what is tested: longer than any stall of a busy machine. */
#define PATIENCE_MS 20000

typedef struct {
    char folder[64];
    /* Two sockets and both as a list. */
    char first[96], second[96], both[200];
    fake_service *service;
} scene;

/* cmocka fixtures: a folder and a service at `first`. */
int scene_set_up(void **state);
int scene_tear_down(void **state);
/* Stops the service at `first` as if it were killed; its path stays. */
void scene_stop_service(scene *scene);
void scene_start_service(scene *scene, fake_options options);

signet_client *new_client(const char *sockets, uint32_t timeout_ms);
signet_sign_request request_of(const char *message);
/* Signs the message and checks that status, result and reason fit together. */
signet_status sign(signet_client *client, const char *message, signet_sign_result *result);
/* Signs and checks that the signature is the message's. */
void assert_signs(signet_client *client, const char *message);
void assert_fails(signet_client *client, const char *message, signet_status status, const char *reason_part);
void assert_reason(const signet_sign_result *result, const char *part);
void assert_signature_of(const signet_sign_result *result, const char *message);

uint64_t monotonic_ms(void);
/*
 * The descriptors of this process while no fake service runs: it is stopped, and started anew. Counted while it runs, a
 * connection that it has yet to accept, or to close, would be one more or one less.
 */
unsigned descriptors_of_the_client(scene *scene);
/* Polls until the condition holds; fails the test after PATIENCE_MS. */
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        uint64_t wait_until = monotonic_ms() + PATIENCE_MS;                                                            \
        while (!(condition)) {                                                                                         \
            assert_true(monotonic_ms() < wait_until);                                                                  \
            wait_a_little();                                                                                           \
        }                                                                                                              \
    } while (0)
void wait_a_little(void);
/*
 * The statement must take as long as the timeout, and hardly longer. A machine that is busy with other things may delay
 * any process, so it has some tries to be in time; a client that is late is so in all of them.
 */
#define ASSERT_ENDS_IN_TIME(timeout_ms, statement)                                                                     \
    do {                                                                                                               \
        uint64_t took_ms;                                                                                              \
        int tries_left = 20;                                                                                           \
        do {                                                                                                           \
            uint64_t began_ms = monotonic_ms();                                                                        \
            statement;                                                                                                 \
            took_ms = monotonic_ms() - began_ms;                                                                       \
            assert_true(took_ms + 1 >= (timeout_ms));                                                                  \
        } while (took_ms > (timeout_ms) + LATE_MS_MAX && --tries_left > 0);                                            \
        assert_in_range(took_ms, 0, (timeout_ms) + LATE_MS_MAX);                                                       \
    } while (0)

#endif
