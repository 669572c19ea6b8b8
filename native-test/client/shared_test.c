/* signet_client_start: many signatures in flight, waited for by nobody. */
#include "scene.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void count_call(void *calls) {
    atomic_fetch_add((atomic_int *)calls, 1);
}

static signet_pending *start(signet_client *client, const char *message, atomic_int *calls) {
    signet_sign_request request = request_of(message);
    signet_pending *pending = signet_client_start(client, &request, count_call, calls);

    assert_non_null(pending);
    return pending;
}

static void assert_takes(signet_pending *pending, const char *message) {
    signet_sign_result result;

    if (signet_pending_take(pending, &result) != SIGNET_OK)
        fail_msg("%s: %s", signet_status_word(result.status), result.reason);
    assert_signature_of(&result, message);
}

static void assert_takes_failure(signet_pending *pending, signet_status status, const char *reason_part) {
    signet_sign_result result;

    signet_pending_take(pending, &result);
    if (result.status != status)
        fail_msg("%s, but it was %s: %s", signet_status_word(status), signet_status_word(result.status), result.reason);
    assert_reason(&result, reason_part);
}

static void a_signature_is_announced_once_and_then_taken(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    atomic_int calls = 0, others = 0;
    signet_pending *pending = start(client, "hold", &calls);

    assert_false(signet_pending_is_done(pending));
    assert_takes(start(client, "release", &others), "release");
    WAIT_FOR(calls == 1);
    assert_true(signet_pending_is_done(pending));
    assert_takes(pending, "hold");
    assert_int_equal(calls, 1);
    signet_client_free(client);
}

static void taking_too_early_waits(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    atomic_int calls = 0;

    assert_takes(start(client, "delay 20", &calls), "delay 20");
    assert_int_equal(calls, 1);
    signet_client_free(client);
}

static void many_are_in_flight_on_one_connection_and_answers_come_in_any_order(void **state) {
    enum { MANY = 200 };
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    signet_pending *pending[MANY];
    char message[MANY][32];
    atomic_int calls = 0;
    int i;

    for (i = 0; i < MANY; i++) {
        snprintf(message[i], sizeof(message[i]), "hold %d", i);
        pending[i] = start(client, message[i], &calls);
    }
    assert_int_equal(calls, 0);
    assert_takes(start(client, "release", &calls), "release");
    for (i = 0; i < MANY; i++)
        assert_takes(pending[i], message[i]);
    assert_int_equal(calls, MANY + 1);
    assert_int_equal(fake_count(scene->service).connections, 1);
    signet_client_free(client);
}

static void one_more_than_the_service_allows_is_refused_here(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    signet_pending *pending[3];
    atomic_int calls = 0;
    int i;

    scene_stop_service(scene);
    scene_start_service(scene, (fake_options){.in_flight_max = 3});
    assert_takes(start(client, "to know the limit", &calls), "to know the limit");
    for (i = 0; i < 3; i++)
        pending[i] = start(client, "hold", &calls);
    assert_takes_failure(start(client, "one more", &calls), SIGNET_BUSY, "3 requests are in flight already");
    for (i = 0; i < 3; i++)
        signet_pending_abandon(pending[i]);
    signet_client_free(client);
}

static void what_cannot_be_sent_is_announced_within_the_start(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    atomic_int calls = 0;
    signet_pending *pending;
    signet_sign_request empty = request_of("");

    scene_stop_service(scene);
    pending = start(client, "nobody", &calls);
    assert_int_equal(calls, 1);
    assert_takes_failure(pending, SIGNET_UNREACHABLE, "Connection refused");
    pending = signet_client_start(client, &empty, count_call, &calls);
    assert_int_equal(calls, 2);
    assert_takes_failure(pending, SIGNET_BAD_REQUEST, "1 to 16384 bytes");
    signet_client_free(client);
}

static void silence_ends_at_the_deadline_and_the_service_is_told(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, 150);
    atomic_int calls = 0;

    ASSERT_ENDS_IN_TIME(
        150, assert_takes_failure(start(client, "silent", &calls), SIGNET_LATE, "no answer within the time"));
    WAIT_FOR(fake_count(scene->service).cancels == (unsigned)calls);
    /* One that is late does not end the connection of the others. */
    assert_int_equal(fake_count(scene->service).connections, 1);
    assert_int_equal(fake_count(scene->service).open, 1);
    signet_client_free(client);
}

static void a_deadline_is_kept_after_the_reader_has_fallen_asleep(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, 60);
    atomic_int calls = 0;

    assert_takes_failure(start(client, "silent", &calls), SIGNET_LATE, "no answer");
    usleep(650000); /* longer than it lingers */
    ASSERT_ENDS_IN_TIME(60, assert_takes_failure(start(client, "silent", &calls), SIGNET_LATE, "no answer"));
    signet_client_free(client);
}

static void what_is_abandoned_is_cancelled_and_never_announced(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    atomic_int calls = 0, others = 0;

    signet_pending_abandon(start(client, "hold me", &calls));
    WAIT_FOR(fake_count(scene->service).cancels == 1);
    /* Its answer comes all the same, and is for nobody. */
    assert_takes(start(client, "release", &others), "release");
    assert_takes(start(client, "after the late answer", &others), "after the late answer");
    assert_int_equal(calls, 0);
    signet_client_free(client);
}

static void what_was_announced_may_be_abandoned(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    atomic_int calls = 0;
    signet_pending *pending = start(client, "now", &calls);

    WAIT_FOR(signet_pending_is_done(pending));
    signet_pending_abandon(pending);
    assert_int_equal(calls, 1);
    assert_int_equal(fake_count(scene->service).cancels, 0);
    signet_client_free(client);
}

static void all_in_flight_on_a_connection_that_breaks_are_retried_on_one_fresh_connection(void **state) {
    enum { MANY = 20 };
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    signet_pending *pending[MANY];
    atomic_int calls = 0;
    int i;

    for (i = 0; i < MANY; i++)
        pending[i] = start(client, "hold", &calls);
    assert_takes(start(client, "close-once", &calls), "close-once");
    assert_takes(start(client, "release", &calls), "release");
    for (i = 0; i < MANY; i++)
        assert_takes(pending[i], "hold");
    assert_int_equal(fake_count(scene->service).connections, 2);
    signet_client_free(client);
}

static void a_connection_that_breaks_twice_is_a_failure(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    atomic_int calls = 0;

    assert_takes_failure(start(client, "close", &calls), SIGNET_UNREACHABLE,
                         "closed the connection before it answered");
    assert_int_equal(fake_count(scene->service).requests, 2);
    assert_int_equal(fake_count(scene->service).repeated_attempts, 1);
    signet_client_free(client);
}

static void a_service_restarted_while_the_connection_was_idle_costs_no_retry(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    atomic_int calls = 0;

    assert_takes(start(client, "before", &calls), "before");
    scene_stop_service(scene);
    scene_start_service(scene, (fake_options){0});
    assert_takes(start(client, "close-once", &calls), "close-once");
    assert_int_equal(fake_count(scene->service).repeated_attempts, 1);
    signet_client_free(client);
}

static void a_draining_service_answers_what_is_in_flight_and_gets_nothing_new(void **state) {
    scene *scene = *state;
    fake_service *second = fake_start(scene->second, (fake_options){0});
    signet_client *client = new_client(scene->both, PATIENCE_MS);
    atomic_int calls = 0;
    signet_pending *pending = start(client, "delay 100", &calls);
    unsigned crossed;
    int i;

    WAIT_FOR(fake_count(scene->service).requests == 1);
    fake_drain(scene->service);
    unlink(scene->first);
    /* The GoAway is read by the reader, at its own pace; from then on nothing goes to the first. */
    do
        assert_takes(start(client, "new", &calls), "new");
    while (fake_count(second).requests == 0);
    crossed = fake_count(scene->service).requests;
    for (i = 0; i < 5; i++)
        assert_takes(start(client, "new", &calls), "new");
    assert_int_equal(fake_count(scene->service).requests, crossed);
    assert_takes(pending, "delay 100");
    WAIT_FOR(fake_count(scene->service).open == 0);
    signet_client_free(client);
    fake_stop(second);
}

static void a_service_that_goes_away_before_it_answers_is_retried(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    atomic_int calls = 0;

    assert_takes(start(client, "goaway", &calls), "goaway");
    assert_takes(start(client, "goaway-close", &calls), "goaway-close");
    assert_takes(start(client, "goaway-late-once", &calls), "goaway-late-once");
    signet_client_free(client);
}

static void a_service_without_a_token_is_tried_once_more_at_the_next_socket(void **state) {
    scene *scene = *state;
    fake_service *second = fake_start(scene->second, (fake_options){0});
    signet_client *client = new_client(scene->both, PATIENCE_MS);
    atomic_int calls = 0;
    int i;

    scene_stop_service(scene);
    scene_start_service(scene, (fake_options){.unavailable = true});
    for (i = 0; i < 5; i++)
        assert_takes(start(client, "somewhere", &calls), "somewhere");
    /* The first answer teaches where to go. */
    assert_int_equal(fake_count(scene->service).requests, 1);
    assert_int_equal(fake_count(second).requests, 5);
    fake_stop(second);
    assert_takes_failure(start(client, "nowhere", &calls), SIGNET_NO_TOKEN, "no token has the key");
    signet_client_free(client);
}

static void what_is_not_the_protocol_fails_all_in_flight_and_the_next_is_served(void **state) {
    static const char *const ORDERS[] = {"garbage", "long", "zero", "unknown-body"};
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    atomic_int calls = 0;
    unsigned i;

    for (i = 0; i < sizeof(ORDERS) / sizeof(ORDERS[0]); i++) {
        signet_pending *bystander = start(client, "silent", &calls);

        assert_takes_failure(start(client, ORDERS[i], &calls), SIGNET_PROTOCOL, scene->first);
        assert_takes_failure(bystander, SIGNET_PROTOCOL, scene->first);
        assert_takes(start(client, "the next", &calls), "the next");
    }
    assert_takes_failure(start(client, "empty", &calls), SIGNET_PROTOCOL, "empty signature");
    signet_client_free(client);
}

static void an_error_about_the_connection_fails_all_in_flight(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    atomic_int calls = 0;
    signet_pending *bystander = start(client, "silent", &calls);

    assert_takes_failure(start(client, "error-zero 3", &calls), SIGNET_BUSY, "of the whole connection");
    assert_takes_failure(bystander, SIGNET_BUSY, "of the whole connection");
    signet_client_free(client);
}

static void wrong_ids_unknown_fields_and_dribbled_answers_do_no_harm(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    atomic_int calls = 0;

    assert_takes(start(client, "wrong-id", &calls), "wrong-id");
    assert_takes(start(client, "unknown-field", &calls), "unknown-field");
    assert_takes(start(client, "dribble", &calls), "dribble");
    assert_int_equal(fake_count(scene->service).connections, 1);
    signet_client_free(client);
}

static void long_messages_are_sent_piece_by_piece_when_the_socket_is_full(void **state) {
    enum { MANY = 60 };
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    unsigned char *message = malloc(SIGNET_MESSAGE_BYTES_MAX);
    signet_sign_request request = request_of("");
    signet_pending *pending[MANY];
    atomic_int calls = 0;
    int i;

    memset(message, 'm', SIGNET_MESSAGE_BYTES_MAX);
    request.input = message;
    request.input_len = SIGNET_MESSAGE_BYTES_MAX;
    for (i = 0; i < MANY; i++)
        pending[i] = signet_client_start(client, &request, count_call, &calls);
    for (i = 0; i < MANY; i++) {
        signet_sign_result result;

        assert_int_equal(signet_pending_take(pending[i], &result), SIGNET_OK);
        assert_int_equal(result.signature_len, FAKE_SIGNATURE_BYTES);
    }
    free(message);
    signet_client_free(client);
}

/* Takes its own request from within `done`. */
typedef struct {
    signet_client *client;
    _Atomic(signet_pending *) pending;
    atomic_int taken;
} self_taker;

static void take_itself(void *argument) {
    self_taker *taker = argument;
    signet_sign_result result;
    signet_pending *pending;

    while ((pending = atomic_load(&taker->pending)) == NULL)
        ;
    signet_pending_take(pending, &result);
    atomic_store(&taker->taken, result.status == SIGNET_OK ? 1 : -1);
}

static void a_request_may_be_taken_from_within_its_own_callback(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    self_taker taker = {.client = client};
    signet_sign_request request = request_of("delay 10");

    atomic_store(&taker.pending, signet_client_start(client, &request, take_itself, &taker));
    WAIT_FOR(atomic_load(&taker.taken) != 0);
    assert_int_equal(taker.taken, 1);
    signet_client_free(client);
}

static void a_client_freed_with_requests_in_flight_fails_them(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    atomic_int calls = 0;
    signet_pending *taken = start(client, "silent", &calls), *abandoned = start(client, "silent", &calls);

    signet_client_free(client);
    assert_int_equal(calls, 2);
    assert_takes_failure(taken, SIGNET_INTERNAL, "the client was freed");
    signet_pending_abandon(abandoned);
}

static void a_client_freed_after_the_reader_has_fallen_asleep_ends_its_connection(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    atomic_int calls = 0;

    assert_takes(start(client, "first", &calls), "first");
    usleep(650000); /* longer than it lingers */
    assert_int_equal(fake_count(scene->service).open, 1);
    signet_client_free(client);
    WAIT_FOR(fake_count(scene->service).open == 0);
}

static void no_descriptor_is_left_behind(void **state) {
    scene *scene = *state;
    atomic_int calls = 0;
    unsigned before;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    int i;

    /* The reader's own descriptor stays for the life of the process. */
    assert_takes(start(client, "first", &calls), "first");
    signet_client_free(client);
    before = descriptors_of_the_client(scene);
    for (i = 0; i < 20; i++) {
        client = new_client(scene->first, PATIENCE_MS);
        assert_takes(start(client, "close-once", &calls), "close-once");
        assert_takes_failure(start(client, "garbage", &calls), SIGNET_PROTOCOL, "signet service");
        signet_pending_abandon(start(client, "silent", &calls));
        signet_client_free(client);
    }
    assert_int_equal(descriptors_of_the_client(scene), before);
}

static void the_reader_takes_no_signal(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    atomic_int calls = 0;
    sigset_t usr1, pending_signals;

    assert_takes(start(client, "start the reader", &calls), "start the reader");
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    kill(getpid(), SIGUSR1);
    assert_takes(start(client, "delay 30", &calls), "delay 30");
    /* No thread could take it, so it is still there, and the process too. */
    sigpending(&pending_signals);
    assert_true(sigismember(&pending_signals, SIGUSR1));
    signal(SIGUSR1, SIG_IGN);
    pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    signet_client_free(client);
}

typedef struct {
    signet_client *client;
    unsigned seed;
    int failures;
} worker;

enum { ROUNDS = 1000, WINDOW = 8 };

/* Keeps some in flight, abandons every fifth, breaks the connection now and then. */
static void *start_many(void *argument) {
    worker *worker = argument;
    signet_pending *window[WINDOW] = {NULL};
    char message[WINDOW][48];
    atomic_int calls = 0;
    int i, started = 0, abandoned = 0;

    for (i = 0; i < ROUNDS + WINDOW; i++) {
        int slot = i % WINDOW;
        signet_sign_result result;
        signet_sign_request request;

        if (window[slot] != NULL && (rand_r(&worker->seed) % 5) == 0) {
            signet_pending_abandon(window[slot]);
            abandoned++;
        } else if (window[slot] != NULL) {
            signet_pending_take(window[slot], &result);
            worker->failures += result.status != SIGNET_OK || result.signature_len != strlen(message[slot]) ||
                                memcmp(result.signature, message[slot], result.signature_len) != 0;
        }
        window[slot] = NULL;
        if (i >= ROUNDS)
            continue;
        snprintf(message[slot], sizeof(message[slot]), "%s %u %d", i % 250 == 17 ? "goaway" : "message", worker->seed,
                 i);
        request = request_of(message[slot]);
        window[slot] = signet_client_start(worker->client, &request, count_call, &calls);
        started++;
    }
    worker->failures += calls > started || calls < started - abandoned;
    return NULL;
}

static void threads_share_the_connection_start_take_and_abandon(void **state) {
    enum { THREADS = 8 };
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    pthread_t threads[THREADS];
    worker workers[THREADS];
    int i;

    for (i = 0; i < THREADS; i++) {
        workers[i] = (worker){.client = client, .seed = (unsigned)i + 1};
        pthread_create(&threads[i], NULL, start_many, &workers[i]);
    }
    /* All are joined before a check may leave this function, whose memory they use. */
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < THREADS; i++)
        assert_int_equal(workers[i].failures, 0);
    signet_client_free(client);
}

#define ON_SCENE(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_SCENE(a_signature_is_announced_once_and_then_taken),
        ON_SCENE(taking_too_early_waits),
        ON_SCENE(many_are_in_flight_on_one_connection_and_answers_come_in_any_order),
        ON_SCENE(one_more_than_the_service_allows_is_refused_here),
        ON_SCENE(what_cannot_be_sent_is_announced_within_the_start),
        ON_SCENE(silence_ends_at_the_deadline_and_the_service_is_told),
        ON_SCENE(a_deadline_is_kept_after_the_reader_has_fallen_asleep),
        ON_SCENE(what_is_abandoned_is_cancelled_and_never_announced),
        ON_SCENE(what_was_announced_may_be_abandoned),
        ON_SCENE(all_in_flight_on_a_connection_that_breaks_are_retried_on_one_fresh_connection),
        ON_SCENE(a_connection_that_breaks_twice_is_a_failure),
        ON_SCENE(a_service_restarted_while_the_connection_was_idle_costs_no_retry),
        ON_SCENE(a_draining_service_answers_what_is_in_flight_and_gets_nothing_new),
        ON_SCENE(a_service_that_goes_away_before_it_answers_is_retried),
        ON_SCENE(a_service_without_a_token_is_tried_once_more_at_the_next_socket),
        ON_SCENE(what_is_not_the_protocol_fails_all_in_flight_and_the_next_is_served),
        ON_SCENE(an_error_about_the_connection_fails_all_in_flight),
        ON_SCENE(wrong_ids_unknown_fields_and_dribbled_answers_do_no_harm),
        ON_SCENE(long_messages_are_sent_piece_by_piece_when_the_socket_is_full),
        ON_SCENE(a_request_may_be_taken_from_within_its_own_callback),
        ON_SCENE(a_client_freed_with_requests_in_flight_fails_them),
        ON_SCENE(a_client_freed_after_the_reader_has_fallen_asleep_ends_its_connection),
        ON_SCENE(no_descriptor_is_left_behind),
        ON_SCENE(the_reader_takes_no_signal),
        ON_SCENE(threads_share_the_connection_start_take_and_abandon),
    };

    return cmocka_run_group_tests_name("shared", tests, NULL, NULL);
}
