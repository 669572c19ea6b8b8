#include "lane.h"

#include "pending.h"

#include <poll.h>
#include <stdlib.h>

static size_t slot_of(uint32_t id);

signet__lane *signet__lane_new(signet__connection *connection) {
    signet__lane *lane = calloc(1, sizeof(*lane));

    if (lane == NULL)
        signet__connection_free(connection);
    else
        lane->connection = connection;
    return lane;
}

void signet__lane_free(signet__lane *lane) {
    signet__connection_free(lane->connection);
    free(lane);
}

bool signet__lane_is_full(const signet__lane *lane) {
    return lane->in_flight >= SIGNET__LANE_IN_FLIGHT_MAX || lane->in_flight >= lane->connection->in_flight_max ||
           signet__buffer_length(&lane->connection->out) > SIGNET__LANE_UNSENT_BYTES_MAX;
}

bool signet__lane_is_open(const signet__lane *lane) {
    const signet__connection *connection = lane->connection;

    return !connection->going_away && !connection->broken && !connection->unsendable;
}

short signet__lane_events(const signet__lane *lane) {
    return signet__buffer_length(&lane->connection->out) > 0 ? POLLIN | POLLOUT : POLLIN;
}

uint32_t signet__lane_attach(signet__lane *lane, signet_pending *pending) {
    uint32_t id;

    do
        id = signet__connection_next_id(lane->connection);
    while (lane->slots[slot_of(id)] != NULL);
    lane->slots[slot_of(id)] = pending;
    lane->in_flight++;
    lane->used = true;
    return id;
}

void signet__lane_detach(signet__lane *lane, uint32_t id) {
    lane->slots[slot_of(id)] = NULL;
    lane->in_flight--;
}

signet_pending *signet__lane_find(const signet__lane *lane, uint32_t id) {
    signet_pending *pending = lane->slots[slot_of(id)];

    return pending != NULL && pending->id == id ? pending : NULL;
}

static size_t slot_of(uint32_t id) {
    return id & (SIGNET__LANE_IN_FLIGHT_MAX - 1);
}
