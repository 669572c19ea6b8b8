/*
 * Inside an ASYNC_JOB (SSL_MODE_ASYNC) the job pauses until the client calls `done`, which makes an eventfd readable;
 * whoever runs the job polls that descriptor and resumes it.
 *
 * There is one eventfd per ASYNC_WAIT_CTX, that is per connection: made at its first signature, used for all, closed
 * when the ASYNC_WAIT_CTX is freed. Closing it earlier would break HAProxy, which forgets a descriptor only later. A
 * connection may be freed while its job is paused, so the client's thread holds the eventfd as well.
 *
 * The ASYNC_WAIT_CTX gets it just before the job pauses for the first time, not before: HAProxy 2.6 hears of a
 * descriptor when a job pauses, and aborts when a connection closes with one that it never heard of (fd_delete in its
 * src/fd.c). An answer may be there before the job has paused; then nobody hears of the eventfd and it goes with the
 * signature.
 *
 * Every `done` adds 1 to the eventfd and the job that waited takes exactly this 1: reading it is the test whether it
 * was resumed for a reason, for jobs are also resumed without one.
 */
#include "wait.h"
#include <errno.h>
#include <openssl/async.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * Where pausing is blocked (ASYNC_block_pause) ASYNC_pause_job returns at once. After so many resumes for nothing the
 * thread sleeps a little in between, so that it does not burn until the answer comes.
 */
#define VAIN_RESUMES_MAX 64
#define NAP_MS 1

typedef struct {
    atomic_int references;
    int fd;
    /* Whether the ASYNC_WAIT_CTX has it, and with it the reference of who made it. */
    int hung;
    /* What the connection's job waits for; NULL: nothing. Its thread's alone. */
    signet_pending *pending;
} bell;

static signet_status sign_in_job(ASYNC_JOB *job, signet_client *client, const signet_sign_request *request,
                                 signet_sign_result *result);
static bell *bell_of(ASYNC_WAIT_CTX *connection);
static bell *bell_new(void);
static int bell_hang(bell *bell, ASYNC_WAIT_CTX *connection);
static void bell_drop(bell *bell);
static void bell_release(bell *bell);
static void bell_freed(ASYNC_WAIT_CTX *connection, const void *key, OSSL_ASYNC_FD fd, void *bell);
static void bell_ring(void *bell);
static int bell_rang(bell *bell);
static void withdraw(bell *bell);
static signet_status pause_until_done(ASYNC_WAIT_CTX *connection, bell *bell, signet_sign_result *result);

signet_status signet__sign_and_wait(signet_client *client, signet__loop *loop, const signet_sign_request *request,
                                    signet_sign_result *result) {
    signet_async_job *woken_by_loop = signet__loop_job(loop);
    ASYNC_JOB *job = ASYNC_get_current_job();

    if (woken_by_loop != NULL)
        return signet__loop_sign(loop, woken_by_loop, request, result);
    return job != NULL ? sign_in_job(job, client, request, result) : signet_client_sign(client, request, result);
}

static signet_status sign_in_job(ASYNC_JOB *job, signet_client *client, const signet_sign_request *request,
                                 signet_sign_result *result) {
    int saved_errno = errno;
    signet_pending *pending;
    signet_status status;
    ASYNC_WAIT_CTX *connection = ASYNC_get_wait_ctx(job);
    bell *bell = bell_of(connection);

    if (bell == NULL)
        return signet__wait_failed(result, "no descriptor to wait on: out of descriptors or memory");
    atomic_fetch_add(&bell->references, 1);
    pending = signet_client_start(client, request, bell_ring, bell);
    if (pending == NULL) {
        bell_release(bell);
        bell_drop(bell);
        return signet__wait_failed(result, "the request could not be started: out of memory");
    }
    bell->pending = pending;
    status = pause_until_done(connection, bell, result);
    bell_drop(bell);
    errno = saved_errno;
    return status;
}

static signet_status pause_until_done(ASYNC_WAIT_CTX *connection, bell *bell, signet_sign_result *result) {
    signet_pending *pending = bell->pending;

    for (int vain = 0; !bell_rang(bell); vain++) {
        struct pollfd wait = {.fd = bell->fd, .events = POLLIN};
        if (vain > VAIN_RESUMES_MAX)
            poll(&wait, 1, NAP_MS);
        if (bell_hang(bell, connection) && ASYNC_pause_job())
            continue;
        withdraw(bell);
        return signet__wait_failed(result, "libcrypto could not pause the job");
    }
    bell->pending = NULL;
    return signet_pending_take(pending, result);
}

/* From now on nobody rings for it; whoever was to holds the bell no longer. */
static void withdraw(bell *bell) {
    signet_pending_abandon(bell->pending);
    bell->pending = NULL;
    if (!bell_rang(bell))
        bell_release(bell);
}

/* The address is the name of our descriptor in an ASYNC_WAIT_CTX. */
static const char bell_key;

static bell *bell_of(ASYNC_WAIT_CTX *connection) {
    OSSL_ASYNC_FD fd;
    void *found = NULL;
    if (ASYNC_WAIT_CTX_get_fd(connection, &bell_key, &fd, &found))
        return found;
    return bell_new();
}

static bell *bell_new(void) {
    bell *bell = OPENSSL_malloc(sizeof *bell);
    if (bell == NULL)
        return NULL;
    atomic_init(&bell->references, 1);
    bell->pending = NULL;
    bell->hung = 0;
    bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bell->fd >= 0)
        return bell;
    bell_release(bell);
    return NULL;
}

/* From now on whoever runs the job can wait for it. */
static int bell_hang(bell *bell, ASYNC_WAIT_CTX *connection) {
    if (!bell->hung)
        bell->hung = ASYNC_WAIT_CTX_set_wait_fd(connection, &bell_key, bell->fd, bell, bell_freed);
    return bell->hung;
}

/* The signature is over: a bell that nobody heard of is of no more use. */
static void bell_drop(bell *bell) {
    if (!bell->hung)
        bell_release(bell);
}

/* A job that is paused then is never resumed: what it waits for is given up, so that the service need not sign. */
static void bell_freed(ASYNC_WAIT_CTX *connection, const void *key, OSSL_ASYNC_FD fd, void *bell_in) {
    bell *bell = bell_in;
    (void)connection, (void)key, (void)fd;
    if (bell->pending != NULL)
        withdraw(bell);
    bell_release(bell);
}

static void bell_release(bell *bell) {
    if (atomic_fetch_sub(&bell->references, 1) > 1)
        return;
    if (bell->fd >= 0)
        close(bell->fd);
    OPENSSL_free(bell);
}

/* Called by the client, from its thread or inside signet_client_start. */
static void bell_ring(void *bell_in) {
    bell *bell = bell_in;
    int saved_errno = errno;
    ssize_t written = eventfd_write(bell->fd, 1);
    (void)written; /* cannot fail: one ring per request */
    errno = saved_errno;
    bell_release(bell);
}

static int bell_rang(bell *bell) {
    eventfd_t rings;
    return eventfd_read(bell->fd, &rings) == 0;
}

signet_status signet__wait_failed(signet_sign_result *result, const char *reason) {
    result->status = SIGNET_INTERNAL;
    result->signature_len = 0;
    snprintf(result->reason, sizeof result->reason, "%s", reason);
    return SIGNET_INTERNAL;
}
