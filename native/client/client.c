/*
 * The public functions for blocking callers. A signature takes an idle connection or opens one, sends and waits
 * (exchange.c), and is tried once more, on a fresh connection, where that can help: the connection broke before the
 * answer, or the service has no token for the key and there is another service.
 */
#include "client.h"

#include "deadline.h"
#include "exchange.h"
#include "process.h"
#include "status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Beyond the first try. */
#define RETRIES_MAX 1

/* Where a try may go. */
typedef struct {
    bool fresh;
    size_t avoid;
    unsigned retries_left;
} sign_route;

static bool set_options(signet_client *client, const signet_client_options *options);
static void sign(signet_client *client, const signet_sign_request *request, signet_sign_result *result);
static bool try_once(signet_client *client, const signet__attempt *attempt, sign_route *route,
                     signet_sign_result *result);
static bool choose_retry(const signet_client *client, const signet__connection *connection, signet__verdict verdict,
                         bool reused, sign_route *route, const signet_sign_result *result);
static signet__connection *get_connection(signet_client *client, const sign_route *route, uint64_t deadline_ns,
                                          bool *reused, signet_sign_result *result);

signet_client *signet_client_new(const signet_client_options *options) {
    signet__visit visit = signet__process_enter();
    signet_client *client = calloc(1, sizeof(*client));

    if (client != NULL && !set_options(client, options)) {
        free(client);
        client = NULL;
    }
    if (client != NULL) {
        signet__idle_init(&client->idle);
        signet__shared_init(&client->shared, client);
        signet__process_add(client);
    }
    signet__process_leave(visit);
    return client;
}

void signet_client_free(signet_client *client) {
    signet__visit visit;

    if (client == NULL)
        return;
    visit = signet__process_enter();
    signet__process_remove(client);
    signet__idle_free(&client->idle);
    if (signet__shared_end(&client->shared))
        signet__shared_destroy(&client->shared);
    signet__process_leave(visit);
}

signet_status signet_client_sign(signet_client *client, const signet_sign_request *request,
                                 signet_sign_result *result) {
    signet__visit visit = signet__process_enter();

    if (signet__client_accepts(request, result))
        sign(client, request, result);
    signet__process_leave(visit);
    return result->status;
}

bool signet__client_accepts(const signet_sign_request *request, signet_sign_result *result) {
    size_t max = request->input_is_digest ? SIGNET__DIGEST_BYTES_MAX : SIGNET_MESSAGE_BYTES_MAX;

    if (request->input != NULL && request->input_len >= 1 && request->input_len <= max)
        return true;
    signet__fail(result, SIGNET_BAD_REQUEST, NULL, "a %s has 1 to %zu bytes, this one has %zu",
                 request->input_is_digest ? "digest" : "message", max, request->input_len);
    return false;
}

bool signet__make_attempt_id(unsigned char attempt_id[SIGNET__ATTEMPT_ID_BYTES]) {
    ssize_t got;

    do
        got = getrandom(attempt_id, SIGNET__ATTEMPT_ID_BYTES, 0);
    while (got < 0 && errno == EINTR);
    return got == SIGNET__ATTEMPT_ID_BYTES;
}

static bool set_options(signet_client *client, const signet_client_options *options) {
    const char *sockets = options->sockets;

    if (sockets == NULL)
        sockets = secure_getenv("SIGNET_SOCKETS");
    if (sockets == NULL || *sockets == '\0')
        sockets = SIGNET_SOCKETS_DEFAULT;
    client->driven = options->driven != 0;
    client->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : SIGNET_TIMEOUT_MS_DEFAULT;
    strncpy(client->agent, options->agent != NULL ? options->agent : "signet-client", sizeof(client->agent) - 1);
    return signet__socket_list_parse(&client->sockets, sockets);
}

static void sign(signet_client *client, const signet_sign_request *request, signet_sign_result *result) {
    signet__attempt attempt = {.request = request, .deadline_ns = signet__deadline_in_ms(client->timeout_ms)};
    sign_route route = {.fresh = false, .avoid = SIGNET__NO_SOCKET, .retries_left = RETRIES_MAX};

    if (!signet__make_attempt_id(attempt.attempt_id)) {
        signet__fail_errno(result, SIGNET_INTERNAL, NULL, "no random bytes for the attempt id", errno);
        return;
    }
    while (try_once(client, &attempt, &route, result))
        ;
}

/* True: try again by the new route. */
static bool try_once(signet_client *client, const signet__attempt *attempt, sign_route *route,
                     signet_sign_result *result) {
    bool reused, again;
    signet__verdict verdict;
    signet__connection *connection = get_connection(client, route, attempt->deadline_ns, &reused, result);

    if (connection == NULL)
        return false;
    verdict = signet__exchange(connection, attempt, result);
    again = choose_retry(client, connection, verdict, reused, route, result);
    signet__idle_check_in(&client->idle, connection);
    return again;
}

static bool choose_retry(const signet_client *client, const signet__connection *connection, signet__verdict verdict,
                         bool reused, sign_route *route, const signet_sign_result *result) {
    bool no_token = verdict == SIGNET__ANSWERED && result->status == SIGNET_NO_TOKEN;

    if (verdict == SIGNET__HOPELESS || (verdict == SIGNET__ANSWERED && !no_token))
        return false;
    /* A draining service may answer so to what crossed its GoAway: its successor listens at the same path. */
    if (no_token && !connection->going_away && client->sockets.count == 1)
        return false;
    /* It broke while it was idle: that is no try. Fresh from here on, so this happens once. */
    if (verdict == SIGNET__UNSENT && reused)
        route->retries_left++;
    if (route->retries_left == 0)
        return false;
    route->retries_left--;
    route->fresh = true;
    route->avoid = no_token && !connection->going_away ? connection->socket_index : SIGNET__NO_SOCKET;
    return true;
}

/* Where a service answered that it has no token and no other can be reached, that answer stays in `result`. */
static signet__connection *get_connection(signet_client *client, const sign_route *route, uint64_t deadline_ns,
                                          bool *reused, signet_sign_result *result) {
    signet_sign_result failure;
    signet__connection *connection = route->fresh ? NULL : signet__idle_check_out(&client->idle);

    *reused = connection != NULL;
    if (connection != NULL)
        return connection;
    connection = signet__connection_open(client, route->avoid, deadline_ns, &failure);
    if (connection != NULL)
        signet__idle_add_in_use(&client->idle, connection);
    else if (route->avoid == SIGNET__NO_SOCKET)
        *result = failure;
    return connection;
}
