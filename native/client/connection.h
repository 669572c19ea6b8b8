/*
 * One connection to a service: sends frames, takes answers, knows what the service said of the connection itself
 * (HelloAck, GoAway). It never waits: who may wait polls the descriptor (exchange.c), who shares it is told when it is
 * ready (shared_connection.c). It belongs to one thread at a time, or to who holds the lock of its owner.
 */
#ifndef SIGNET_CLIENT_CONNECTION_H
#define SIGNET_CLIENT_CONNECTION_H

#include "buffer.h"
#include "signet/v1/sign.pb.h"
#include "signet_client.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads, of up to 4 KiB each, of what lies in a connection that nobody waits for or that cannot be written any more:
 * enough for all answers that can be in flight, and an end for a service that talks without end.
 */
#define SIGNET__LAST_READS_MAX 1024

typedef struct signet__connection {
    /* In the list of the owner. */
    struct signet__connection *next, *previous;
    /* -1 after a fork: it is the parent's connection. */
    int fd;
    /* Of this connection alone, in the whole process. */
    uint64_t serial;
    /* Its place in the list of sockets, and its path (the list's memory). */
    size_t socket_index;
    const char *path;
    /* Ids count up and are never used again on this connection, but for 0 every 2^32. */
    uint32_t last_id;
    uint32_t hello_id;
    /* Of the HelloAck; before it, no limit: the service refuses what is too much. */
    uint32_t in_flight_max;
    /* The service said GoAway: no new requests here. */
    bool going_away;
    /* Nothing can be sent any more; the service's last words may still be there to be read. */
    bool unsendable;
    /* It is of no use any more: ended, or no longer in step. */
    bool broken;
    /* The errno of the one or the other, 0 for an orderly end. */
    int error;
    signet__buffer in;
    signet__buffer out;
} signet__connection;

/* Connects, with a Hello ready to be sent with the first request. NULL: `result` says why. */
struct signet_client;
signet__connection *signet__connection_open(struct signet_client *client, size_t avoid, uint64_t deadline_ns,
                                            signet_sign_result *result);
/* Closes without a word: what is in flight is cancelled by the service. */
void signet__connection_free(signet__connection *connection);

uint32_t signet__connection_next_id(signet__connection *connection);
/* Sends what the socket takes now. Afterwards `out` is empty, or the socket is full, or the connection is unsendable.
 */
void signet__connection_flush(signet__connection *connection);
/* Reads once what is there. False: nothing was there, or the connection is broken. */
bool signet__connection_fill(signet__connection *connection);

typedef enum {
    SIGNET__TAKE_NOTHING, /* no whole frame is here */
    SIGNET__TAKE_ANSWER,  /* `response` holds a SignResponse or an Error with the id of a request */
    SIGNET__TAKE_FAILED   /* the connection is broken and `result` says why: it fails all that is in flight */
} signet__take;

/* Takes the next answer; what the service says of the connection itself is dealt with on the way. */
signet__take signet__connection_take(signet__connection *connection, signet_v1_SignStreamResponse *response,
                                     signet_sign_result *result);
/* Why it broke; always SIGNET_UNREACHABLE. */
signet_status signet__connection_explain(const signet__connection *connection, signet_sign_result *result);

#endif
