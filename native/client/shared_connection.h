/*
 * Many requests in flight on one connection, for callers that do not wait: the requests of a client, the connections
 * they are on, and the turn that moves them on. Nothing here waits; a turn reads what is there and completes what it
 * answers.
 */
#ifndef SIGNET_CLIENT_SHARED_CONNECTION_H
#define SIGNET_CLIENT_SHARED_CONNECTION_H

#include "lane.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct signet__shared {
    pthread_mutex_t lock;
    /* Some `done` has returned. */
    pthread_cond_t called;
    signet_client *client;
    /* At most one open lane per socket; others only finish what is in flight. */
    signet__lane *lanes;
    /* The socket whose service answered last when others had no token. */
    size_t preferred;
    /* By deadline: they all have the same timeout. */
    struct signet_pending *waiting, *waiting_last;
    struct signet_pending *calling;
    /* The owner of the client, and each request that somebody still has to take or abandon. */
    size_t holders;
    /* A lane was opened, or has something unsent: whoever waits for the lanes must look again. */
    bool changed;
} signet__shared;

void signet__shared_init(signet__shared *shared, signet_client *client);
/* Fails what waits. True: nobody else holds the client, so it is to be destroyed now. */
bool signet__shared_end(signet__shared *shared);
/* Frees the client; what the last holder does. */
void signet__shared_destroy(signet__shared *shared);
/* In the child of a fork: the parent's requests are over here, and `done` is not called for them. */
void signet__shared_forget(signet__shared *shared, bool close_descriptors);

/* Sends the request, or completes it at once. */
void signet__shared_start(signet__shared *shared, struct signet_pending *pending);
/* Sends and reads what can be, completes what is answered, broken or late, and calls `done` for it. */
void signet__shared_turn(signet__shared *shared);
/* With the lock held: when the next turn is due at the latest. */
uint64_t signet__shared_deadline(const signet__shared *shared);

/* With the lock held: tells the service that nobody waits for a request any more. */
void signet__shared_cancel(signet__shared *shared, struct signet_pending *pending);

#endif
