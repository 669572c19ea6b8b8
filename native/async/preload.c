/*
 * The contents page of the preload library. Stock NGINX waits for nothing but sockets while it makes handshakes; with
 * this library in LD_PRELOAD a signature is one more thing it waits for in its event loop (docs/nginx-async.md).
 *
 *   handshake.c                the functions that run a handshake: in a job, which may pause
 *   ssl_error.c                says "wants to write" of a paused one
 *   epoll_ctl.c, epoll_wait.c  the client's socket goes in, answers come out as events
 *   ssl_free.c                 ends a paused one
 *   makecontext.c              a stack for the job
 *   tally.c                    tells that it is at work
 *
 * Everything is state of one thread, and of one process: the child of a fork starts with nothing.
 */
#include "drivers.h"
#include "handshake.h"
#include "jobs.h"
#include "loop.h"
#include "signet_async.h"
#include "tally.h"

#include <pthread.h>

static signet_async_job *current_job(void);
static int is_cancelled(const signet_async_job *job);
static void answered(void *job);

extern const signet_async signet_async_v1;
const signet_async signet_async_v1 = {
    .current_job = current_job,
    .is_cancelled = is_cancelled,
    .answered = answered,
    .drive = signet__drivers_note,
    .stop = signet__drivers_remove,
};

static void forget_parent(void) {
    signet__handshake_forget();
    signet__jobs_forget();
    signet__drivers_forget();
    signet__loop_forget();
    signet__tally_forget();
}

__attribute__((constructor)) static void begin(void) {
    pthread_atfork(NULL, NULL, forget_parent);
}

static signet_async_job *current_job(void) {
    return signet__handshake_job();
}

static int is_cancelled(const signet_async_job *job) {
    return job->cancelled;
}

static void answered(void *job) {
    signet__jobs_wake(job);
}
