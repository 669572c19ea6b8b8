/*
 * The connections of blocking callers: each caller has one to itself while it waits, so that no lock is held during
 * I/O, and leaves it here for the next.
 */
#ifndef SIGNET_CLIENT_IDLE_CONNECTIONS_H
#define SIGNET_CLIENT_IDLE_CONNECTIONS_H

#include "connection.h"

#include <pthread.h>

/* Kept for later; one more is closed. As many as the threads of a busy web server process. */
#define SIGNET__IDLE_CONNECTIONS_MAX 32

typedef struct {
    pthread_mutex_t lock;
    /* The one used last comes first: it is the likeliest to be alive, and leads to the service that answered last. */
    signet__connection *idle;
    size_t idle_count;
    /* Checked out; listed only so that a child of fork can close them. */
    signet__connection *in_use;
} signet__idle_connections;

void signet__idle_init(signet__idle_connections *idle);
void signet__idle_free(signet__idle_connections *idle);
/* An idle connection that is alive as far as one can see, or NULL. Those that broke meanwhile are closed on the way. */
signet__connection *signet__idle_check_out(signet__idle_connections *idle);
/* Lists a new connection as checked out. */
void signet__idle_add_in_use(signet__idle_connections *idle, signet__connection *connection);
/* Gives it back; closes it if it is of no use any more. */
void signet__idle_check_in(signet__idle_connections *idle, signet__connection *connection);
/* In the child of a fork, with the lock just made anew or held: forgets the parent's connections. */
void signet__idle_forget(signet__idle_connections *idle, bool close_descriptors);

#endif
