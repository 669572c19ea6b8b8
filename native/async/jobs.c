#include "jobs.h"

#include "loop.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A power of two; as many handshakes as may be in flight on one connection to a service. */
#define BUCKETS 1024

static struct {
    signet_async_job *buckets[BUCKETS];
    signet_async_job *woken, *woken_last;
} jobs;

static signet_async_job **bucket_of(const SSL *ssl);
static void leave_woken(signet_async_job *job);

signet_async_job *signet__jobs_find(const SSL *ssl) {
    signet_async_job *job = *bucket_of(ssl);

    while (job != NULL && job->ssl != ssl)
        job = job->next;
    return job;
}

signet_async_job *signet__jobs_add(SSL *ssl, int fd) {
    signet_async_job *job = calloc(1, sizeof *job);
    signet_async_job **bucket = bucket_of(ssl);

    if (job == NULL)
        return NULL;
    job->ssl = ssl;
    job->fd = fd;
    job->next = *bucket;
    *bucket = job;
    return job;
}

void signet__jobs_remove(signet_async_job *job) {
    signet_async_job **link = bucket_of(job->ssl);

    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    leave_woken(job);
    free(job);
}

void signet__jobs_wake(signet_async_job *job) {
    job->answered = true;
    if (job->woken)
        return;
    job->woken = true;
    job->woken_next = NULL;
    job->woken_previous = jobs.woken_last;
    if (jobs.woken_last != NULL)
        jobs.woken_last->woken_next = job;
    else
        jobs.woken = job;
    jobs.woken_last = job;
}

bool signet__jobs_any_woken(void) {
    return jobs.woken != NULL;
}

/*
 * The data is what the program registered last for the descriptor, so the event is what epoll_wait(2) itself would
 * report of a socket that has become writable. NGINX keeps the instance bit of its connection in there: an event for a
 * connection that was closed, or is another's by now, is stale to it, and dropped. A descriptor that is not registered
 * yet needs no event: edge-triggered epoll reports it when it is.
 */
int signet__jobs_deliver(struct epoll_event *events, int room) {
    int count = 0;

    while (jobs.woken != NULL && count < room) {
        const struct epoll_event *registered = signet__loop_registered(jobs.woken->fd);

        if (registered != NULL)
            events[count++] = (struct epoll_event){.events = EPOLLOUT, .data = registered->data};
        leave_woken(jobs.woken);
    }
    return count;
}

/* What the jobs hold is small, and the child of a server's worker soon executes something else. */
void signet__jobs_forget(void) {
    memset(&jobs, 0, sizeof jobs);
}

static signet_async_job **bucket_of(const SSL *ssl) {
    uintptr_t address = (uintptr_t)ssl;

    /* An SSL has some KiB, so the low digits say nothing. */
    return &jobs.buckets[(address >> 4 ^ address >> 14) & (BUCKETS - 1)];
}

static void leave_woken(signet_async_job *job) {
    if (!job->woken)
        return;
    job->woken = false;
    if (job->woken_previous != NULL)
        job->woken_previous->woken_next = job->woken_next;
    else
        jobs.woken = job->woken_next;
    if (job->woken_next != NULL)
        job->woken_next->woken_previous = job->woken_previous;
    else
        jobs.woken_last = job->woken_previous;
}
