/* The public functions for an event loop that drives a client in its own thread. */
#include "client.h"
#include "deadline.h"
#include "process.h"
#include "shared_connection.h"

size_t signet_client_look(signet_client *client, signet_descriptor *descriptors, size_t room, uint64_t *deadline_ns) {
    signet__visit visit = signet__process_enter();
    signet__shared *shared = &client->shared;
    size_t count = 0;
    signet__lane *lane;

    pthread_mutex_lock(&shared->lock);
    *deadline_ns = signet__shared_deadline(shared);
    for (lane = shared->lanes; lane != NULL; lane = lane->next, count++)
        if (count < room)
            descriptors[count] = (signet_descriptor){
                .fd = lane->connection->fd, .events = signet__lane_events(lane), .serial = lane->connection->serial};
    pthread_mutex_unlock(&shared->lock);
    signet__process_leave(visit);
    return count;
}

void signet_client_turn(signet_client *client) {
    signet__visit visit = signet__process_enter();

    signet__shared_turn(&client->shared);
    signet__process_leave(visit);
}
