/* The public functions for callers that do not wait. */
#include "pending.h"

#include "client.h"
#include "completion.h"
#include "process.h"

#include <stdlib.h>
#include <string.h>

static signet_pending *new_pending(const signet_sign_request *request, void (*done)(void *), void *arg);
static void withdraw(signet__shared *shared, signet_pending *pending);

signet_pending *signet_client_start(signet_client *client, const signet_sign_request *request, void (*done)(void *),
                                    void *arg) {
    signet__visit visit = signet__process_enter();
    signet_pending *pending = new_pending(request, done, arg);

    if (pending != NULL)
        signet__shared_start(&client->shared, pending);
    signet__process_leave(visit);
    return pending;
}

int signet_pending_is_done(signet_pending *pending) {
    signet__visit visit = signet__process_enter();
    bool done;

    pthread_mutex_lock(&pending->shared->lock);
    done = pending->state != SIGNET__PENDING_WAITING;
    pthread_mutex_unlock(&pending->shared->lock);
    signet__process_leave(visit);
    return done;
}

signet_status signet_pending_take(signet_pending *pending, signet_sign_result *result) {
    signet__visit visit = signet__process_enter();

    pthread_mutex_lock(&pending->shared->lock);
    signet__completion_await_call(pending);
    result->status = pending->result.status;
    result->signature_len = pending->result.signature_len;
    memcpy(result->signature, pending->result.signature, pending->result.signature_len);
    memcpy(result->reason, pending->result.reason, sizeof(result->reason));
    signet__completion_release(pending);
    signet__process_leave(visit);
    return result->status;
}

void signet_pending_abandon(signet_pending *pending) {
    signet__visit visit = signet__process_enter();

    pthread_mutex_lock(&pending->shared->lock);
    if (pending->state == SIGNET__PENDING_WAITING)
        withdraw(pending->shared, pending);
    else
        signet__completion_await_call(pending);
    signet__completion_release(pending);
    signet__process_leave(visit);
}

static void withdraw(signet__shared *shared, signet_pending *pending) {
    signet__shared_cancel(shared, pending);
    signet__completion_withdraw(shared, pending);
}

static signet_pending *new_pending(const signet_sign_request *request, void (*done)(void *), void *arg) {
    /* What is too long is refused without a look at it (signet__client_accepts), so it need not be copied. */
    size_t input_len =
        request->input_len <= SIGNET_MESSAGE_BYTES_MAX && request->input != NULL ? request->input_len : 0;
    signet_pending *pending = malloc(sizeof(*pending) + input_len);

    if (pending == NULL)
        return NULL;
    memset(pending, 0, sizeof(*pending));
    pending->done = done;
    pending->arg = arg;
    pending->avoid = SIGNET__NO_SOCKET;
    pending->request = *request;
    if (request->input != NULL) {
        memcpy(pending->input, request->input, input_len);
        pending->request.input = pending->input;
    }
    return pending;
}
