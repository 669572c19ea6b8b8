/* A connection with the many requests that are in flight on it, found by their ids. */
#ifndef SIGNET_CLIENT_LANE_H
#define SIGNET_CLIENT_LANE_H

#include "connection.h"

#include <stddef.h>

/* As many as a service allows by the reliability goals; one more is refused here. A power of two. */
#define SIGNET__LANE_IN_FLIGHT_MAX 1024
/* What may wait for a service that does not read, per connection. */
#define SIGNET__LANE_UNSENT_BYTES_MAX ((size_t)1024 * 1024)

typedef struct signet__lane {
    struct signet__lane *next;
    signet__connection *connection;
    /* A request was sent here before. */
    bool used;
    /* The service turned the whole connection away, and this is its reason. */
    bool refused;
    signet_sign_result why;
    size_t in_flight;
    struct signet_pending *slots[SIGNET__LANE_IN_FLIGHT_MAX];
} signet__lane;

/* Owns the connection from now on. NULL: out of memory; the connection is freed. */
signet__lane *signet__lane_new(signet__connection *connection);
void signet__lane_free(signet__lane *lane);

bool signet__lane_is_full(const signet__lane *lane);
/* Whether new requests may go here. */
bool signet__lane_is_open(const signet__lane *lane);
/* What to poll(2) for. */
short signet__lane_events(const signet__lane *lane);

/* Gives the request an id, which is returned. The lane must not be full. */
uint32_t signet__lane_attach(signet__lane *lane, struct signet_pending *pending);
void signet__lane_detach(signet__lane *lane, uint32_t id);
/* The request with the id, or NULL. */
struct signet_pending *signet__lane_find(const signet__lane *lane, uint32_t id);

#endif
