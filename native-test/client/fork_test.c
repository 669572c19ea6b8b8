/* What a fork does to a client: the child makes connections of its own, and no answer goes to the wrong process. */
#include "scene.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long somebody waits in vain while the test forks: the request is sent and the fork done by then. */
#define SILENCE_MS 2000

/* Only the child sees cmocka's failure as an exit code: the checks of a child are plain ones. */
static bool child_signs(signet_client *client, const char *message) {
    signet_sign_request request = request_of(message);
    signet_sign_result result;

    if (signet_client_sign(client, &request, &result) != SIGNET_OK)
        fprintf(stderr, "child: %s\n", result.reason);
    return result.status == SIGNET_OK && result.signature_len == strlen(message) &&
           memcmp(result.signature, message, strlen(message)) == 0;
}

static void ignore_call(void *unused) {
    (void)unused;
}

static bool child_starts_and_takes(signet_client *client, const char *message) {
    signet_sign_request request = request_of(message);
    signet_pending *pending = signet_client_start(client, &request, ignore_call, NULL);
    signet_sign_result result;

    return pending != NULL && signet_pending_take(pending, &result) == SIGNET_OK &&
           memcmp(result.signature, message, result.signature_len) == 0;
}

static void assert_child_succeeds(pid_t child) {
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_child_opens_its_own_connection_and_the_parent_keeps_its(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    pid_t child;

    assert_signs(client, "parent before");
    assert_int_equal(fake_count(scene->service).connections, 1);
    child = fork();
    if (child == 0)
        _exit(child_signs(client, "child") && child_signs(client, "child again") ? 0 : 1);
    assert_child_succeeds(child);
    assert_signs(client, "parent after");
    assert_int_equal(fake_count(scene->service).connections, 2);
    signet_client_free(client);
}

static void a_child_that_never_signs_does_not_keep_the_parents_connection_open(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    int pipe_fds[2];
    pid_t child;

    assert_signs(client, "parent");
    assert_int_equal(pipe(pipe_fds), 0);
    child = fork();
    if (child == 0) {
        char byte;

        close(pipe_fds[1]);
        _exit(read(pipe_fds[0], &byte, 1) == 0 ? 0 : 1);
    }
    signet_client_free(client);
    WAIT_FOR(fake_count(scene->service).open == 0);
    close(pipe_fds[1]);
    close(pipe_fds[0]);
    assert_child_succeeds(child);
}

static void *sign_into_silence(void *argument) {
    signet_sign_request request = request_of("silent");
    signet_sign_result result;

    signet_client_sign(argument, &request, &result);
    return NULL;
}

static void nor_the_one_that_another_thread_was_waiting_on(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, SILENCE_MS);
    pthread_t thread;
    int pipe_fds[2];
    pid_t child;

    assert_int_equal(pipe(pipe_fds), 0);
    pthread_create(&thread, NULL, sign_into_silence, client);
    WAIT_FOR(fake_count(scene->service).requests == 1);
    child = fork();
    if (child == 0) {
        char byte;

        close(pipe_fds[1]);
        _exit(read(pipe_fds[0], &byte, 1) == 0 ? 0 : 1);
    }
    pthread_join(thread, NULL);
    WAIT_FOR(fake_count(scene->service).open == 0);
    close(pipe_fds[1]);
    close(pipe_fds[0]);
    assert_child_succeeds(child);
    signet_client_free(client);
}

static void a_fork_that_passed_by_the_handlers_is_noticed_by_pid(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    pid_t child;

    assert_signs(client, "parent before");
    child = (pid_t)syscall(SYS_fork);
    if (child == 0)
        _exit(child_signs(client, "child") ? 0 : 1);
    assert_child_succeeds(child);
    assert_signs(client, "parent after");
    assert_int_equal(fake_count(scene->service).connections, 2);
    signet_client_free(client);
}

static void a_child_starts_a_reader_of_its_own(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    signet_sign_request request = request_of("hold");
    signet_pending *pending = signet_client_start(client, &request, ignore_call, NULL);
    signet_sign_result result;
    pid_t child = fork();

    if (child == 0) {
        /* What the parent has in flight is over here. */
        if (!signet_pending_is_done(pending) || signet_pending_take(pending, &result) != SIGNET_UNREACHABLE)
            _exit(2);
        _exit(child_starts_and_takes(client, "child") ? 0 : 1);
    }
    assert_child_succeeds(child);
    assert_signs(client, "release");
    assert_int_equal(signet_pending_take(pending, &result), SIGNET_OK);
    assert_signature_of(&result, "hold");
    signet_client_free(client);
}

typedef struct {
    signet_client *client;
    atomic_bool stop;
    atomic_int failures;
} traffic;

static void *keep_signing(void *argument) {
    traffic *traffic = argument;
    unsigned i = 0;

    while (!atomic_load(&traffic->stop)) {
        char message[48];

        snprintf(message, sizeof(message), "parent %p %u", (void *)&i, i);
        i++;
        if (!(i % 2 == 0 ? child_signs(traffic->client, message) : child_starts_and_takes(traffic->client, message)))
            atomic_fetch_add(&traffic->failures, 1);
    }
    return NULL;
}

static void forks_amid_traffic_of_threads_mix_nothing_up(void **state) {
#ifdef __SANITIZE_ADDRESS__
    /* Its allocator's locks stay as they are in a child (gcc 12): one that another thread held is never free again. */
    skip();
#endif
    enum { THREADS = 3, FORKS = 30 };
    scene *scene = *state;
    traffic traffic = {.client = new_client(scene->first, PATIENCE_MS)};
    pthread_t threads[THREADS];
    pid_t children[FORKS];
    int i;
    for (i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, keep_signing, &traffic);
    for (i = 0; i < FORKS; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(child_signs(traffic.client, "child") && child_starts_and_takes(traffic.client, "child too") ? 0 : 1);
    }
    atomic_store(&traffic.stop, true);
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < FORKS; i++)
        assert_child_succeeds(children[i]);
    assert_int_equal(traffic.failures, 0);
    signet_client_free(traffic.client);
}

static void two_forks_between_load_and_use_as_nginx_does(void **state) {
    scene *scene = *state;
    signet_client *client = new_client(scene->first, PATIENCE_MS);
    pid_t master = fork();

    if (master == 0) {
        pid_t worker = fork();
        int status;

        if (worker == 0)
            _exit(child_signs(client, "worker") ? 0 : 1);
        waitpid(worker, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    assert_child_succeeds(master);
    assert_int_equal(fake_count(scene->service).connections, 1);
    signet_client_free(client);
}

#define ON_SCENE(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_SCENE(a_child_opens_its_own_connection_and_the_parent_keeps_its),
        ON_SCENE(a_child_that_never_signs_does_not_keep_the_parents_connection_open),
        ON_SCENE(nor_the_one_that_another_thread_was_waiting_on),
        ON_SCENE(a_fork_that_passed_by_the_handlers_is_noticed_by_pid),
        ON_SCENE(a_child_starts_a_reader_of_its_own),
        ON_SCENE(forks_amid_traffic_of_threads_mix_nothing_up),
        ON_SCENE(two_forks_between_load_and_use_as_nginx_does),
    };

    return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
