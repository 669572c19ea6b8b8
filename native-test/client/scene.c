#include "scene.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int scene_set_up(void **state) {
    scene *scene = calloc(1, sizeof(*scene));

    snprintf(scene->folder, sizeof(scene->folder), "/tmp/signet-client-test-XXXXXX");
    if (mkdtemp(scene->folder) == NULL)
        return -1;
    snprintf(scene->first, sizeof(scene->first), "%s/a.sock", scene->folder);
    snprintf(scene->second, sizeof(scene->second), "%s/b.sock", scene->folder);
    snprintf(scene->both, sizeof(scene->both), "%s:%s", scene->first, scene->second);
    scene_start_service(scene, (fake_options){0});
    *state = scene;
    return 0;
}

int scene_tear_down(void **state) {
    scene *scene = *state;

    scene_stop_service(scene);
    unlink(scene->first);
    unlink(scene->second);
    rmdir(scene->folder);
    free(scene);
    return 0;
}

void scene_stop_service(scene *scene) {
    if (scene->service != NULL)
        fake_stop(scene->service);
    scene->service = NULL;
}

void scene_start_service(scene *scene, fake_options options) {
    scene->service = fake_start(scene->first, options);
}

signet_client *new_client(const char *sockets, uint32_t timeout_ms) {
    signet_client_options options = {.sockets = sockets, .timeout_ms = timeout_ms, .agent = "signet-test/1"};
    signet_client *client = signet_client_new(&options);

    assert_non_null(client);
    return client;
}

signet_sign_request request_of(const char *message) {
    signet_sign_request request = {
        .scheme = 0x0403, .input = (const unsigned char *)message, .input_len = strlen(message)};

    memset(request.spki_sha256, 0x5a, sizeof(request.spki_sha256));
    return request;
}

signet_status sign(signet_client *client, const char *message, signet_sign_result *result) {
    signet_sign_request request = request_of(message);
    signet_status status = signet_client_sign(client, &request, result);

    assert_int_equal(status, result->status);
    if (status == SIGNET_OK)
        assert_string_equal(result->reason, "");
    else
        assert_string_not_equal(result->reason, "");
    return status;
}

void assert_signs(signet_client *client, const char *message) {
    signet_sign_result result;

    if (sign(client, message, &result) != SIGNET_OK)
        fail_msg("%s: %s", signet_status_word(result.status), result.reason);
    assert_signature_of(&result, message);
}

void assert_fails(signet_client *client, const char *message, signet_status status, const char *reason_part) {
    signet_sign_result result;

    sign(client, message, &result);
    if (result.status != status)
        fail_msg("%s, but it was %s: %s", signet_status_word(status), signet_status_word(result.status), result.reason);
    assert_reason(&result, reason_part);
}

void assert_reason(const signet_sign_result *result, const char *part) {
    if (strstr(result->reason, part) == NULL)
        fail_msg("no \"%s\" in the reason: %s", part, result->reason);
}

void assert_signature_of(const signet_sign_result *result, const char *message) {
    size_t length = strlen(message) < FAKE_SIGNATURE_BYTES ? strlen(message) : FAKE_SIGNATURE_BYTES;

    assert_int_equal(result->signature_len, length);
    assert_memory_equal(result->signature, message, length);
}

uint64_t monotonic_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

unsigned descriptors_of_the_client(scene *scene) {
    DIR *folder;
    unsigned count = 0;

    scene_stop_service(scene);
    folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    scene_start_service(scene, (fake_options){0});
    return count;
}

void wait_a_little(void) {
    poll(NULL, 0, 1);
}
