/*
 * What there is once in a process: the list of its clients, and the notice of a fork. The child of a fork has none of
 * its parent's connections, threads and requests: it closes the inherited descriptors without a word, or both processes
 * would read each other's answers.
 */
#ifndef SIGNET_CLIENT_PROCESS_H
#define SIGNET_CLIENT_PROCESS_H

#include "signet_client.h"

#include <stdbool.h>

/* What a public function gives back to its caller as it was. */
typedef struct {
    int error;
    int cancel_state;
} signet__visit;

/*
 * Around every public function. Notices a fork that passed by the fork handlers, such as a raw clone(2). A thread is
 * not cancelled in here: it would take a lock or a connection with it, and every wait is bounded.
 */
signet__visit signet__process_enter(void);
void signet__process_leave(signet__visit visit);
void signet__process_add(signet_client *client);
/* Afterwards the reader does not know the client any more, and is not at work on it. Not from within `done`. */
void signet__process_remove(signet_client *client);

/* The lock of the process. Taken before the lock of a client, never after it; never held during a wait or a callback.
 */
void signet__process_lock(void);
void signet__process_unlock(void);
/* The clients, with the lock held. */
signet_client *signet__process_first_client(void);
/* Marks the client that the reader is at work on, or NULL; with the lock held. */
void signet__process_set_turn(signet_client *client);

#endif
