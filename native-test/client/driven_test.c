/* A client that its caller's event loop drives: signet_client_look and signet_client_turn. */
#include "scene.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* For requests that the test waits to become late. */
#define SHORT_MS 60

typedef struct {
    int calls;
    pthread_t caller;
} witness;

static void note_call(void *witness_in) {
    witness *seen = witness_in;

    seen->calls++;
    seen->caller = pthread_self();
}

static signet_client *new_driven_client(const char *sockets, uint32_t timeout_ms) {
    signet_client_options options = {.sockets = sockets, .timeout_ms = timeout_ms, .agent = "driven/1", .driven = 1};
    signet_client *client = signet_client_new(&options);

    assert_non_null(client);
    return client;
}

static signet_pending *start(signet_client *client, const char *message, witness *seen) {
    signet_sign_request request = request_of(message);
    signet_pending *pending = signet_client_start(client, &request, note_call, seen);

    assert_non_null(pending);
    return pending;
}

/* One turn of an event loop: waits for what the client names, until the time that it names. */
static size_t take_turn(signet_client *client) {
    signet_descriptor descriptors[4];
    struct pollfd polled[4];
    uint64_t deadline_ns;
    size_t count = signet_client_look(client, descriptors, 4, &deadline_ns);

    assert_in_range(count, 0, 4);
    for (size_t i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = descriptors[i].fd, .events = descriptors[i].events};
    poll(polled, count, 5);
    signet_client_turn(client);
    return count;
}

static unsigned threads(void) {
    DIR *folder = opendir("/proc/self/task");
    unsigned count = 0;

    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void answers_come_in_the_turns_of_the_thread_that_drives_and_in_no_other(void **state) {
    scene *scene = *state;
    signet_client *client = new_driven_client(scene->first, PATIENCE_MS);
    witness seen = {0};
    unsigned threads_before = threads();
    signet_pending *one = start(client, "delay 5", &seen), *other = start(client, "delay 10", &seen);
    uint64_t give_up_ms = monotonic_ms() + PATIENCE_MS;
    signet_sign_result result;

    assert_int_equal(threads(), threads_before);
    while (!signet_pending_is_done(one) || !signet_pending_is_done(other)) {
        assert_true(monotonic_ms() < give_up_ms);
        assert_int_equal(take_turn(client), 1);
    }
    assert_int_equal(seen.calls, 2);
    assert_true(pthread_equal(seen.caller, pthread_self()));
    assert_int_equal(signet_pending_take(one, &result), SIGNET_OK);
    assert_signature_of(&result, "delay 5");
    assert_int_equal(signet_pending_take(other, &result), SIGNET_OK);
    signet_client_free(client);
}

static void the_deadline_is_told_and_kept_by_a_turn(void **state) {
    scene *scene = *state;
    signet_client *client = new_driven_client(scene->first, SHORT_MS);
    witness seen = {0};
    uint64_t began_ms = monotonic_ms(), started_ms, deadline_ns;
    signet_pending *pending = start(client, "hold", &seen);
    signet_sign_result result;

    started_ms = monotonic_ms();
    signet_client_look(client, NULL, 0, &deadline_ns);
    assert_in_range(deadline_ns / 1000000, began_ms + SHORT_MS, started_ms + SHORT_MS + LATE_MS_MAX);
    while (!signet_pending_is_done(pending)) {
        assert_true(monotonic_ms() < began_ms + PATIENCE_MS);
        take_turn(client);
    }
    assert_int_equal(signet_pending_take(pending, &result), SIGNET_LATE);
    signet_client_look(client, NULL, 0, &deadline_ns);
    assert_true(deadline_ns == UINT64_MAX);
    signet_client_free(client);
}

static void a_new_connection_has_a_new_serial_and_a_closed_one_is_not_listed(void **state) {
    scene *scene = *state;
    signet_client *client = new_driven_client(scene->first, PATIENCE_MS);
    signet_descriptor first, second;
    uint64_t deadline_ns, give_up_ms = monotonic_ms() + PATIENCE_MS;
    witness seen = {0};
    signet_pending *pending = start(client, "hold", &seen);

    assert_int_equal(signet_client_look(client, &first, 1, &deadline_ns), 1);
    signet_pending_abandon(pending);
    scene_stop_service(scene);
    while (signet_client_look(client, &second, 1, &deadline_ns) > 0) {
        assert_true(monotonic_ms() < give_up_ms);
        take_turn(client);
    }
    scene_start_service(scene, (fake_options){0});
    pending = start(client, "hold", &seen);
    assert_int_equal(signet_client_look(client, &second, 1, &deadline_ns), 1);
    assert_true(second.serial != first.serial);
    signet_pending_abandon(pending);
    assert_int_equal(seen.calls, 0);
    signet_client_free(client);
}

#define ON_SCENE(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_SCENE(answers_come_in_the_turns_of_the_thread_that_drives_and_in_no_other),
        ON_SCENE(the_deadline_is_told_and_kept_by_a_turn),
        ON_SCENE(a_new_connection_has_a_new_serial_and_a_closed_one_is_not_listed),
    };

    return cmocka_run_group_tests_name("driven", tests, NULL, NULL);
}
