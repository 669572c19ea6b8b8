#include "connection.h"

#include "client.h"
#include "status.h"
#include "wire.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Read at once: some seven answers to RSA-2048. */
#define READ_BYTES 4096

static signet__connection *adopt(int fd, signet_client *client, size_t socket_index);
static void mark_unsendable(signet__connection *connection, int error);
static void mark_broken(signet__connection *connection, int error);
static signet__take handle(signet__connection *connection, const signet_v1_SignStreamResponse *response,
                           signet_sign_result *result);
static signet__take handle_hello_ack(signet__connection *connection, const signet_v1_HelloAck *ack,
                                     signet_sign_result *result);
static signet__take handle_error(signet__connection *connection, const signet_v1_SignStreamResponse *response,
                                 signet_sign_result *result);
static signet__take fail(signet__connection *connection, signet_sign_result *result, const char *what);

signet__connection *signet__connection_open(signet_client *client, size_t avoid, uint64_t deadline_ns,
                                            signet_sign_result *result) {
    signet__connection *connection;
    size_t index;
    int fd = signet__socket_list_connect(&client->sockets, avoid, deadline_ns, &index, result);

    if (fd < 0)
        return NULL;
    connection = adopt(fd, client, index);
    if (connection == NULL)
        signet__fail(result, SIGNET_INTERNAL, client->sockets.path[index], "out of memory");
    return connection;
}

void signet__connection_free(signet__connection *connection) {
    if (connection->fd >= 0)
        close(connection->fd);
    signet__buffer_free(&connection->in);
    signet__buffer_free(&connection->out);
    free(connection);
}

uint32_t signet__connection_next_id(signet__connection *connection) {
    if (++connection->last_id == 0)
        ++connection->last_id;
    return connection->last_id;
}

void signet__connection_flush(signet__connection *connection) {
    signet__buffer *out = &connection->out;

    while (!connection->broken && !connection->unsendable && signet__buffer_length(out) > 0) {
        ssize_t sent =
            send(connection->fd, out->bytes + out->start, signet__buffer_length(out), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent >= 0)
            signet__buffer_use_up(out, (size_t)sent);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        else if (errno != EINTR)
            mark_unsendable(connection, errno);
    }
}

bool signet__connection_fill(signet__connection *connection) {
    signet__buffer *in = &connection->in;
    ssize_t got;

    if (connection->broken)
        return false;
    if (!signet__buffer_reserve(in, READ_BYTES)) {
        mark_broken(connection, ENOMEM);
        return false;
    }
    do
        got = recv(connection->fd, in->bytes + in->end, in->capacity - in->end, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        in->end += (size_t)got;
    else if (got == 0)
        mark_broken(connection, 0);
    else if (errno != EAGAIN && errno != EWOULDBLOCK)
        mark_broken(connection, errno);
    return got > 0;
}

signet__take signet__connection_take(signet__connection *connection, signet_v1_SignStreamResponse *response,
                                     signet_sign_result *result) {
    const char *what = "";

    for (;;) {
        signet__take taken;

        switch (signet__wire_take(&connection->in, response, &what)) {
        case SIGNET__FRAME_INCOMPLETE:
            return SIGNET__TAKE_NOTHING;
        case SIGNET__FRAME_MALFORMED:
            return fail(connection, result, what);
        case SIGNET__FRAME_WHOLE:
            break;
        }
        taken = handle(connection, response, result);
        if (taken != SIGNET__TAKE_NOTHING)
            return taken;
    }
}

signet_status signet__connection_explain(const signet__connection *connection, signet_sign_result *result) {
    if (connection->error == 0)
        return signet__fail(result, SIGNET_UNREACHABLE, connection->path,
                            "the service closed the connection before it answered");
    return signet__fail_errno(result, SIGNET_UNREACHABLE, connection->path, "the connection broke before the answer",
                              connection->error);
}

static _Atomic uint64_t last_serial;

static signet__connection *adopt(int fd, signet_client *client, size_t socket_index) {
    signet__connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL) {
        close(fd);
        return NULL;
    }
    connection->fd = fd;
    connection->serial = atomic_fetch_add(&last_serial, 1) + 1;
    connection->socket_index = socket_index;
    connection->path = client->sockets.path[socket_index];
    connection->in_flight_max = UINT32_MAX;
    connection->hello_id = signet__connection_next_id(connection);
    if (!signet__wire_put_hello(&connection->out, connection->hello_id, client->agent)) {
        signet__connection_free(connection);
        return NULL;
    }
    return connection;
}

static void mark_unsendable(signet__connection *connection, int error) {
    connection->unsendable = true;
    connection->error = error;
}

static void mark_broken(signet__connection *connection, int error) {
    connection->broken = true;
    if (!connection->unsendable)
        connection->error = error;
}

/* NOTHING: it was about the connection, go on. */
static signet__take handle(signet__connection *connection, const signet_v1_SignStreamResponse *response,
                           signet_sign_result *result) {
    switch (response->which_body) {
    case signet_v1_SignStreamResponse_sign_tag:
        return SIGNET__TAKE_ANSWER;
    case signet_v1_SignStreamResponse_error_tag:
        return handle_error(connection, response, result);
    case signet_v1_SignStreamResponse_hello_ack_tag:
        return handle_hello_ack(connection, &response->body.hello_ack, result);
    case signet_v1_SignStreamResponse_go_away_tag:
        connection->going_away = true;
        return SIGNET__TAKE_NOTHING;
    case signet_v1_SignStreamResponse_pong_tag:
        return SIGNET__TAKE_NOTHING;
    default:
        return fail(connection, result, "sent a frame whose body version 1 of the protocol does not have");
    }
}

static signet__take handle_hello_ack(signet__connection *connection, const signet_v1_HelloAck *ack,
                                     signet_sign_result *result) {
    if (ack->version == 0 || ack->version > SIGNET__PROTOCOL_VERSION)
        return fail(connection, result, "chose a version of the protocol that was not offered");
    if (ack->in_flight_max > 0)
        connection->in_flight_max = ack->in_flight_max;
    return SIGNET__TAKE_NOTHING;
}

/* With the id of a request it is that request's answer; with 0, or the Hello's, it is about the connection, which ends.
 */
static signet__take handle_error(signet__connection *connection, const signet_v1_SignStreamResponse *response,
                                 signet_sign_result *result) {
    if (response->id != 0 && response->id != connection->hello_id)
        return SIGNET__TAKE_ANSWER;
    signet__answer(result, connection->path, response);
    if (result->status == SIGNET_BAD_REQUEST)
        result->status = SIGNET_PROTOCOL;
    mark_broken(connection, 0);
    return SIGNET__TAKE_FAILED;
}

static signet__take fail(signet__connection *connection, signet_sign_result *result, const char *what) {
    mark_broken(connection, EPROTO);
    signet__fail(result, SIGNET_PROTOCOL, connection->path, "the other side %s", what);
    return SIGNET__TAKE_FAILED;
}
