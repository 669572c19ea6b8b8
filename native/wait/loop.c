#include "loop.h"
#include "wait.h"
#include <dlfcn.h>
#include <errno.h>
#include <openssl/async.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stddef.h>

#ifndef SIGNET_VERSION
#define SIGNET_VERSION "0.0.0"
#endif

/* As in wait.c: where pausing is blocked (ASYNC_block_pause) the job drives the client itself, in naps. */
#define VAIN_RESUMES_MAX 64
#define NAP_MS 1

static int pause_until_done(signet__loop *loop, signet_async_job *job, signet_pending *pending);

struct signet__loop {
    const signet_async *async;
    signet_async_driver driver;
};

signet__loop *signet__loop_new(const signet_client_options *options) {
    signet_client_options driven = *options;
    const signet_async *async = dlsym(RTLD_DEFAULT, SIGNET_ASYNC_SYMBOL);
    signet__loop *loop = async != NULL ? OPENSSL_zalloc(sizeof *loop) : NULL;

    if (loop == NULL)
        return NULL;
    driven.driven = 1;
    driven.agent = "signet-async/" SIGNET_VERSION;
    loop->async = async;
    loop->driver = (signet_async_driver){
        .client = signet_client_new(&driven), .look = signet_client_look, .turn = signet_client_turn};
    if (loop->driver.client != NULL)
        return loop;
    OPENSSL_free(loop);
    return NULL;
}

void signet__loop_free(signet__loop *loop) {
    if (loop == NULL)
        return;
    loop->async->stop(&loop->driver);
    signet_client_free(loop->driver.client);
    OPENSSL_free(loop);
}

signet_async_job *signet__loop_job(const signet__loop *loop) {
    if (loop == NULL || ASYNC_get_current_job() == NULL)
        return NULL;
    return loop->async->current_job();
}

signet_status signet__loop_sign(signet__loop *loop, signet_async_job *job, const signet_sign_request *request,
                                signet_sign_result *result) {
    int saved_errno = errno;
    signet_pending *pending;

    if (loop->async->is_cancelled(job))
        return signet__wait_failed(result, "the connection was closed");
    pending = signet_client_start(loop->driver.client, request, loop->async->answered, job);
    if (pending == NULL)
        return signet__wait_failed(result, "the request could not be started: out of memory");
    loop->async->drive(&loop->driver);
    if (pause_until_done(loop, job, pending)) {
        errno = saved_errno;
        return signet_pending_take(pending, result);
    }
    signet_pending_abandon(pending);
    loop->async->drive(&loop->driver);
    errno = saved_errno;
    return signet__wait_failed(result, "the connection was closed, or libcrypto could not pause the job");
}

static int pause_until_done(signet__loop *loop, signet_async_job *job, signet_pending *pending) {
    for (int vain = 0; !signet_pending_is_done(pending); vain++) {
        if (vain > VAIN_RESUMES_MAX) {
            poll(NULL, 0, NAP_MS);
            signet_client_turn(loop->driver.client);
        }
        if (!ASYNC_pause_job() || loop->async->is_cancelled(job))
            return signet_pending_is_done(pending);
    }
    return 1;
}
