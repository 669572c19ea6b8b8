/* The handshakes that wait for a signature, found by their SSL, and those of them whose answer is there. Only the
 * thread of the loop comes here. */
#ifndef SIGNET_ASYNC_JOBS_H
#define SIGNET_ASYNC_JOBS_H

#include "signet_async.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <sys/epoll.h>

struct signet_async_job {
    /* In its bucket. */
    signet_async_job *next;
    SSL *ssl;
    int fd;
    /* The handshake has returned with its job paused, and has not been resumed since. */
    bool paused;
    bool answered;
    bool cancelled;
    /* In the queue of the woken. */
    bool woken;
    signet_async_job *woken_next, *woken_previous;
};

signet_async_job *signet__jobs_find(const SSL *ssl);
/* NULL: out of memory. */
signet_async_job *signet__jobs_add(SSL *ssl, int fd);
void signet__jobs_remove(signet_async_job *job);

/* The answer is there: the handshake is to go on. */
void signet__jobs_wake(signet_async_job *job);
bool signet__jobs_any_woken(void);
/* Takes up to `room` of the woken and fills in the event of each; returns how many. The others stay for the next time.
 */
int signet__jobs_deliver(struct epoll_event *events, int room);

/* In the child of a fork: the handshakes are the parent's. */
void signet__jobs_forget(void);

#endif
