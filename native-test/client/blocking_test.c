/* signet_client_sign: one signature, waited for. */
#include "scene.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static void a_message_is_signed(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);

    assert_signs(client, "a message");
    assert_string_equal(fake_count(scene->service).agent, "signet-test/1");
    signet_client_free(client);
}

static void a_digest_is_signed(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    signet_sign_request request = request_of("refuse 2 would be an order in a message, not in a digest........");
    signet_sign_result result;

    request.input_is_digest = 1;
    assert_int_equal(signet_client_sign(client, &request, &result), SIGNET_OK);
    assert_int_equal(result.signature_len, request.input_len);
    signet_client_free(client);
}

static void the_longest_message_is_signed_and_a_longer_one_is_refused_without_a_word(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    unsigned char *message = calloc(1, SIGNET_MESSAGE_BYTES_MAX + 1);
    signet_sign_request request = request_of("");
    signet_sign_result result;

    request.input = message;
    request.input_len = SIGNET_MESSAGE_BYTES_MAX;
    assert_int_equal(signet_client_sign(client, &request, &result), SIGNET_OK);
    request.input_len++;
    assert_int_equal(signet_client_sign(client, &request, &result), SIGNET_BAD_REQUEST);
    assert_reason(&result, "1 to 16384 bytes, this one has 16385");
    request.input_len = 0;
    assert_int_equal(signet_client_sign(client, &request, &result), SIGNET_BAD_REQUEST);
    request.input_len = 65;
    request.input_is_digest = 1;
    assert_int_equal(signet_client_sign(client, &request, &result), SIGNET_BAD_REQUEST);
    assert_int_equal(fake_count(scene->service).requests, 1);
    free(message);
    signet_client_free(client);
}

static void nothing_is_opened_before_the_first_signature_and_one_connection_serves_many(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    int i;

    assert_int_equal(fake_count(scene->service).connections, 0);
    for (i = 0; i < 100; i++)
        assert_signs(client, "again");
    assert_int_equal(fake_count(scene->service).connections, 1);
    assert_int_equal(fake_count(scene->service).hellos, 1);
    signet_client_free(client);
    WAIT_FOR(fake_count(scene->service).open == 0);
}

static void the_service_is_told_the_time_that_is_left(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);

    assert_signs(client, "how long");
    assert_in_range(fake_count(scene->service).last_timeout_us, 1000 * PATIENCE_MS / 2, 1000 * PATIENCE_MS);
    signet_client_free(client);
}

static void every_error_of_the_service_has_its_status_and_its_words_reach_the_caller(void **state) {
    static const signet_status EXPECTED[] = {SIGNET_INTERNAL, SIGNET_BAD_REQUEST, SIGNET_REFUSED,      SIGNET_BUSY,
                                             SIGNET_LATE,     SIGNET_NO_TOKEN,    SIGNET_TOKEN_FAILED, SIGNET_INTERNAL,
                                             SIGNET_INTERNAL, SIGNET_INTERNAL};
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    unsigned code;

    for (code = 0; code < sizeof(EXPECTED) / sizeof(EXPECTED[0]); code++) {
        char message[64];

        snprintf(message, sizeof(message), "refuse %u ask\x1b[31m somebody", code);
        assert_fails(client, message, EXPECTED[code], "ask?[31m somebody");
        assert_fails(client, message, EXPECTED[code], scene->first);
    }
    assert_int_equal(fake_count(scene->service).connections, 1);
    signet_client_free(client);
}

static void without_a_service_the_reason_names_every_socket_and_its_errno(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->both, PATIENCE_MS);
    char refused[128], missing[128];

    scene_stop_service(scene);
    snprintf(refused, sizeof(refused), "%s: Connection refused", scene->first);
    snprintf(missing, sizeof(missing), "%s: No such file or directory", scene->second);
    assert_fails(client, "anybody there", SIGNET_UNREACHABLE, refused);
    assert_fails(client, "anybody there", SIGNET_UNREACHABLE, missing);
    signet_client_free(client);
}

static void the_next_socket_is_used_at_once_when_the_first_has_no_service(void **state) {
    scene *scene = *state;
    fake_service *second = fake_start(scene->second, (fake_options){0});
    signet_client *client = new_client(scene->both, PATIENCE_MS);

    scene_stop_service(scene);
    assert_signs(client, "to the second");
    assert_int_equal(fake_count(second).requests, 1);
    signet_client_free(client);
    fake_stop(second);
}

static void the_list_of_sockets_has_limits(void **state) {
    signet_client_options options = {0};
    signet_client *client;
    char path[SIGNET_SOCKET_PATH_BYTES_MAX + 1];

    (void)state;
    memset(path, 'x', sizeof(path));
    path[SIGNET_SOCKET_PATH_BYTES_MAX - 1] = '\0';
    options.sockets = path;
    client = signet_client_new(&options);
    assert_non_null(client);
    signet_client_free(client);
    path[SIGNET_SOCKET_PATH_BYTES_MAX - 1] = 'x';
    path[SIGNET_SOCKET_PATH_BYTES_MAX] = '\0';
    assert_null(signet_client_new(&options));
    options.sockets = "1:2:3:4:5:6:7:8:9";
    assert_null(signet_client_new(&options));
    options.sockets = ":::";
    assert_null(signet_client_new(&options));
}

static void the_environment_names_the_sockets_when_nobody_else_does(void **state) {
    scene *scene = *state;
    signet_client *client;

    setenv("SIGNET_SOCKETS", scene->first, 1);
    client = new_client(NULL, PATIENCE_MS);
    unsetenv("SIGNET_SOCKETS");
    assert_signs(client, "by the environment");
    signet_client_free(client);
}

static void a_service_restarted_while_the_connection_was_idle_costs_no_retry(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);

    assert_signs(client, "before");
    scene_stop_service(scene);
    scene_start_service(scene, (fake_options){0});
    /* The one retry is still there for the break that is ordered. */
    assert_signs(client, "close-once after the restart");
    assert_int_equal(fake_count(scene->service).repeated_attempts, 1);
    signet_client_free(client);
}

static void a_connection_that_breaks_before_the_answer_is_retried_once_with_the_same_attempt_id(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);

    assert_signs(client, "close-once");
    assert_int_equal(fake_count(scene->service).requests, 2);
    assert_int_equal(fake_count(scene->service).repeated_attempts, 1);
    assert_int_equal(fake_count(scene->service).connections, 2);
    assert_fails(client, "close", SIGNET_UNREACHABLE, "closed the connection before it answered");
    assert_int_equal(fake_count(scene->service).requests, 4);
    signet_client_free(client);
}

static void an_attempt_id_is_new_for_every_signature(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);

    assert_signs(client, "same");
    assert_signs(client, "same");
    assert_int_equal(fake_count(scene->service).repeated_attempts, 0);
    signet_client_free(client);
}

static void a_service_without_a_token_is_tried_once_more_at_the_next_socket(void **state) {
    scene *scene = *state;
    fake_service *second = fake_start(scene->second, (fake_options){0});
    signet_client *client = new_client(scene->both, PATIENCE_MS);

    scene_stop_service(scene);
    scene_start_service(scene, (fake_options){.unavailable = true});
    assert_signs(client, "somewhere");
    assert_int_equal(fake_count(scene->service).requests, 1);
    assert_int_equal(fake_count(second).requests, 1);
    assert_memory_equal(fake_count(scene->service).last_attempt_id, fake_count(second).last_attempt_id, 16);
    fake_stop(second);
    assert_fails(client, "nowhere", SIGNET_NO_TOKEN, "no token has the key");
    signet_client_free(client);
}

static void a_single_service_without_a_token_is_not_asked_twice(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);

    assert_fails(client, "refuse 5 no token", SIGNET_NO_TOKEN, "no token");
    assert_int_equal(fake_count(scene->service).requests, 1);
    signet_client_free(client);
}

static void a_draining_service_still_answers_and_is_not_used_again(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);

    assert_signs(client, "goaway");
    assert_signs(client, "afterwards");
    assert_int_equal(fake_count(scene->service).connections, 2);
    assert_int_equal(fake_count(scene->service).requests, 2);
    signet_client_free(client);
}

static void a_service_that_goes_away_before_it_answers_is_retried(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);

    assert_signs(client, "goaway-close");
    assert_signs(client, "goaway-late-once");
    assert_int_equal(fake_count(scene->service).repeated_attempts, 2);
    signet_client_free(client);
}

static void a_service_drained_while_the_connection_was_idle_is_not_used_again(void **state) {
    scene *scene = *state;
    fake_service *second = fake_start(scene->second, (fake_options){0});
    signet_client *client = new_client(scene->both, PATIENCE_MS);

    assert_signs(client, "to the first");
    fake_drain(scene->service);
    scene_stop_service(scene);
    assert_signs(client, "to the second");
    assert_int_equal(fake_count(second).repeated_attempts, 0);
    assert_int_equal(fake_count(second).requests, 1);
    signet_client_free(client);
    fake_stop(second);
}

static void silence_ends_at_the_deadline(void **state) {
    static const char *const ORDERS[] = {"silent", "half", "delay 60000"};
    scene *scene = *state;
    signet_client *client = new_client(scene->first, 150);
    unsigned i;

    for (i = 0; i < sizeof(ORDERS) / sizeof(ORDERS[0]); i++)
        ASSERT_ENDS_IN_TIME(150, assert_fails(client, ORDERS[i], SIGNET_LATE, "no answer within the time"));
    signet_client_free(client);
}

static void a_retry_does_not_prolong_the_deadline(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, 150);
    uint64_t give_up_ms = monotonic_ms() + PATIENCE_MS;

    /* There is no retry when a service on a busy machine closes the first connection after the deadline only. */
    do {
        assert_true(monotonic_ms() < give_up_ms);
        ASSERT_ENDS_IN_TIME(150, assert_fails(client, "close-once-then-silent", SIGNET_LATE, scene->first));
    } while (fake_count(scene->service).repeated_attempts == 0);
    signet_client_free(client);
}

/* A service that hangs: the kernel takes connections until the queue is full, and then none. */
static int listen_and_hang(const char *path, int backlog) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static void a_service_that_hangs_ends_at_the_deadline(void **state) {
    scene *scene = *state;
    int hanging = listen_and_hang(scene->second, 0);
    signet_client *client = new_client(scene->second, 150);

    assert_fails(client, "into the queue of one", SIGNET_LATE, "no answer");
    /* The closed connection still lies in the queue. */
    ASSERT_ENDS_IN_TIME(150, assert_fails(client, "no place in the queue", SIGNET_BUSY, "its listen queue is full"));
    close(hanging);
    signet_client_free(client);
}

/* Answers to id 127, which nobody asked, as many as the client takes. */
static void *flood(void *argument) {
    static const unsigned char FRAME[] = {0, 0, 0, 7, 0x08, 0x7f, 0x1a, 0x03, 0x0a, 0x01, 's'};
    int fd = accept4(*(int *)argument, NULL, NULL, SOCK_CLOEXEC);

    while (send(fd, FRAME, sizeof(FRAME), MSG_NOSIGNAL) >= 0)
        ;
    close(fd);
    return NULL;
}

static void drown(const char *path, int listener) {
    signet_client *client = new_client(path, 150);
    pthread_t thread;

    pthread_create(&thread, NULL, flood, &listener);
    assert_fails(client, "drowned", SIGNET_LATE, "no answer");
    pthread_join(thread, NULL);
    signet_client_free(client);
}

static void a_flood_of_answers_that_nobody_asked_ends_at_the_deadline(void **state) {
    scene *scene = *state;
    int listener = listen_and_hang(scene->second, 1);

    ASSERT_ENDS_IN_TIME(150, drown(scene->second, listener));
    close(listener);
}

static void what_is_not_the_protocol_is_said_so(void **state) {
    static const char *const ORDERS[] = {"garbage", "long", "zero", "unknown-body", "empty"};
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    unsigned i;

    for (i = 0; i < sizeof(ORDERS) / sizeof(ORDERS[0]); i++) {
        assert_fails(client, ORDERS[i], SIGNET_PROTOCOL, scene->first);
        assert_signs(client, "the next is served on a new connection");
    }
    signet_client_free(client);
}

static void a_version_that_was_not_offered_is_not_accepted(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);

    scene_stop_service(scene);
    scene_start_service(scene, (fake_options){.version = 7});
    assert_fails(client, "hello", SIGNET_PROTOCOL, "version");
    signet_client_free(client);
}

static void unknown_ids_and_fields_are_ignored_and_a_dribbled_answer_is_put_together(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);

    assert_signs(client, "wrong-id");
    assert_signs(client, "unknown-field");
    assert_signs(client, "dribble");
    assert_int_equal(fake_count(scene->service).connections, 1);
    signet_client_free(client);
}

static void an_error_about_the_connection_is_the_answer_and_ends_it(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);

    assert_fails(client, "error-zero 1", SIGNET_PROTOCOL, "of the whole connection");
    assert_fails(client, "error-zero 3", SIGNET_BUSY, "of the whole connection");
    signet_client_free(client);
}

static void a_service_that_takes_no_more_connections_says_why(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);

    scene_stop_service(scene);
    scene_start_service(scene, (fake_options){.full = true});
    assert_fails(client, "hello", SIGNET_BUSY, "1000 connections are open");
    signet_client_free(client);
}

static void ignore_signal(int number) {
    (void)number;
}

static void a_storm_of_signals_disturbs_neither_answer_nor_deadline(void **state) {
    scene *scene = *state;
    signet_client *patient = new_client(scene->first, PATIENCE_MS), *client = new_client(scene->first, 150);
    struct sigaction action = {.sa_handler = ignore_signal}; /* no SA_RESTART, as NGINX does */
    struct itimerval storm = {.it_interval = {.tv_usec = 500}, .it_value = {.tv_usec = 500}}, calm = {0};
    int i;

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &storm, NULL);
    for (i = 0; i < 20; i++)
        assert_signs(patient, "delay 5");
    ASSERT_ENDS_IN_TIME(150, assert_fails(client, "silent", SIGNET_LATE, "no answer"));
    setitimer(ITIMER_REAL, &calm, NULL);
    signet_client_free(client);
    signet_client_free(patient);
}

static void errno_stays_and_sigpipe_is_not_raised(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);

    signal(SIGPIPE, SIG_DFL);
    errno = 4711;
    assert_signs(client, "close-once");
    assert_int_equal(errno, 4711);
    scene_stop_service(scene);
    assert_fails(client, "nobody", SIGNET_UNREACHABLE, "refused");
    assert_int_equal(errno, 4711);
    signet_client_free(client);
    assert_int_equal(errno, 4711);
}

static void no_descriptor_is_left_behind(void **state) {
    scene *scene = *state;
    unsigned before = descriptors_of_the_client(scene);
    int i;

    for (i = 0; i < 10; i++) {
        signet_client *client = new_client(scene->both, PATIENCE_MS), *hasty = new_client(scene->both, 20);

        assert_signs(client, "one");
        assert_signs(client, "close-once");
        assert_fails(hasty, "silent", SIGNET_LATE, "no answer");
        assert_fails(client, "garbage", SIGNET_PROTOCOL, "signet service");
        signet_client_free(hasty);
        signet_client_free(client);
    }
    assert_int_equal(descriptors_of_the_client(scene), before);
}

typedef struct {
    signet_client *client;
    int number;
    int failures;
} worker;

static void *sign_many(void *argument) {
    worker *worker = argument;
    int i;

    for (i = 0; i < 200; i++) {
        char message[64];
        signet_sign_request request;
        signet_sign_result result;

        snprintf(message, sizeof(message), "thread %d message %d", worker->number, i);
        request = request_of(message);
        signet_client_sign(worker->client, &request, &result);
        worker->failures += result.status != SIGNET_OK || result.signature_len != strlen(message) ||
                            memcmp(result.signature, message, strlen(message)) != 0;
    }
    return NULL;
}

static void threads_each_have_their_own_connection_and_keep_it(void **state) {
    enum { THREADS = 40 };
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    pthread_t threads[THREADS];
    worker workers[THREADS];
    int i;

    for (i = 0; i < THREADS; i++) {
        workers[i] = (worker){.client = client, .number = i};
        pthread_create(&threads[i], NULL, sign_many, &workers[i]);
    }
    /* All are joined before a check may leave this function, whose memory they use. */
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < THREADS; i++)
        assert_int_equal(workers[i].failures, 0);
    /* The service hears a little later that those over the limit were closed. */
    WAIT_FOR(fake_count(scene->service).open <= 32);
    signet_client_free(client);
}

static void every_status_has_a_word(void **state) {
    (void)state;
    assert_string_equal(signet_status_word(SIGNET_OK), "ok");
    assert_string_equal(signet_status_word(SIGNET_UNREACHABLE), "unreachable");
    assert_string_equal(signet_status_word(SIGNET_INTERNAL), "internal error");
    assert_non_null(signet_status_word((signet_status)99));
}

#define ON_SCENE(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_SCENE(a_message_is_signed),
        ON_SCENE(a_digest_is_signed),
        ON_SCENE(the_longest_message_is_signed_and_a_longer_one_is_refused_without_a_word),
        ON_SCENE(nothing_is_opened_before_the_first_signature_and_one_connection_serves_many),
        ON_SCENE(the_service_is_told_the_time_that_is_left),
        ON_SCENE(every_error_of_the_service_has_its_status_and_its_words_reach_the_caller),
        ON_SCENE(without_a_service_the_reason_names_every_socket_and_its_errno),
        ON_SCENE(the_next_socket_is_used_at_once_when_the_first_has_no_service),
        cmocka_unit_test(the_list_of_sockets_has_limits),
        ON_SCENE(the_environment_names_the_sockets_when_nobody_else_does),
        ON_SCENE(a_service_restarted_while_the_connection_was_idle_costs_no_retry),
        ON_SCENE(a_connection_that_breaks_before_the_answer_is_retried_once_with_the_same_attempt_id),
        ON_SCENE(an_attempt_id_is_new_for_every_signature),
        ON_SCENE(a_service_without_a_token_is_tried_once_more_at_the_next_socket),
        ON_SCENE(a_single_service_without_a_token_is_not_asked_twice),
        ON_SCENE(a_draining_service_still_answers_and_is_not_used_again),
        ON_SCENE(a_service_that_goes_away_before_it_answers_is_retried),
        ON_SCENE(a_service_drained_while_the_connection_was_idle_is_not_used_again),
        ON_SCENE(silence_ends_at_the_deadline),
        ON_SCENE(a_retry_does_not_prolong_the_deadline),
        ON_SCENE(a_service_that_hangs_ends_at_the_deadline),
        ON_SCENE(a_flood_of_answers_that_nobody_asked_ends_at_the_deadline),
        ON_SCENE(what_is_not_the_protocol_is_said_so),
        ON_SCENE(a_version_that_was_not_offered_is_not_accepted),
        ON_SCENE(unknown_ids_and_fields_are_ignored_and_a_dribbled_answer_is_put_together),
        ON_SCENE(an_error_about_the_connection_is_the_answer_and_ends_it),
        ON_SCENE(a_service_that_takes_no_more_connections_says_why),
        ON_SCENE(a_storm_of_signals_disturbs_neither_answer_nor_deadline),
        ON_SCENE(errno_stays_and_sigpipe_is_not_raised),
        ON_SCENE(no_descriptor_is_left_behind),
        ON_SCENE(threads_each_have_their_own_connection_and_keep_it),
        cmocka_unit_test(every_status_has_a_word),
    };

    return cmocka_run_group_tests_name("blocking", tests, NULL, NULL);
}
